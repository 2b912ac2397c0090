"""The rules by which the bot acts for the user of a linked Discord account."""

from dataclasses import dataclass

from bongsu.identity import audit
from bongsu.identity.audit import Actor
from bongsu.identity.errors import PermissionMissing
from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.scopes import Role
from bongsu.runtime.errors import ServiceError
from bongsu_auth.discord_tokens.schemas import DiscordTokenIn
from bongsu_auth.errors import AccountBlocked, DiscordNotLinked
from bongsu_auth.sessions.access_tokens import AccessTokens

LIFETIME_S = 60


@dataclass(frozen=True, slots=True)
class LinkedToken:
    """An access token, and the role that it carries."""

    access_token: str
    role: Role


class DiscordTokens:
    """Issues tokens, and records each command in the audit log, in the caller's unit of work.

    :param access_tokens: issues tokens that live for `LIFETIME_S`.
    """

    def __init__(self, access_tokens: AccessTokens) -> None:
        self._access_tokens = access_tokens

    async def issue(self, wanted: DiscordTokenIn, address: str | None) -> LinkedToken | ServiceError:
        """Return a token for a command, or the error to raise: the record of a refusal must be committed first.

        The refusals are DiscordNotLinked, AccountBlocked and PermissionMissing.
        """
        linked = await LinkedAccount.filter_by(provider="discord", subject=wanted.discord_user_id).first()
        user = await User.get_or_none(linked.user_id) if linked is not None else None
        refusal = _refusal(user, wanted)
        await audit.record(
            "discord_command.refused" if refusal is not None else "discord_command.authorised",
            Actor(user.id if user is not None else None, address=address),
            subject_id=user.id if user is not None else None,
            target=f"discord_user:{wanted.discord_user_id}",
            details={"command": wanted.command} | ({"code": refusal.code} if refusal is not None else {}),
        )
        if refusal is not None:
            return refusal
        assert user is not None  # noqa: S101 - else it was refused
        assert linked is not None  # noqa: S101 - as above
        return LinkedToken(await self._access_tokens.issue_for_linked(linked, user), Role(user.role))


def _refusal(user: User | None, wanted: DiscordTokenIn) -> ServiceError | None:
    if user is None:
        return DiscordNotLinked()
    if not user.is_active:
        return AccountBlocked()
    if wanted.permission is not None and wanted.permission not in Role(user.role).permissions:
        return PermissionMissing(wanted.permission)
    return None
