"""The rules of user administration. Methods run in the caller's unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.audit import SYSTEM, Actor
from bongsu.identity.errors import PermissionMissing
from bongsu.identity.models import ApiKey, User
from bongsu.identity.scopes import Permission, Role
from bongsu.runtime.id_pages import page_by_id
from bongsu_auth.accounts.manager import UserManager
from bongsu_auth.api_keys.service import ApiKeys
from bongsu_auth.errors import AccountNotFound, HigherRole, OwnAccount
from bongsu_auth.mfa.service import Mfa
from bongsu_auth.sessions.service import Sessions
from bongsu_auth.users.schemas import UserPatch, UserQuery


@dataclass(frozen=True, slots=True)
class UserAdministration:
    """Lists and changes the accounts of others."""

    users: UserManager
    sessions: Sessions
    mfa: Mfa
    keys: ApiKeys

    @staticmethod
    async def list_users(wanted: UserQuery) -> tuple[Sequence[User], UUID | None]:
        """Return a page of accounts, newest first, and the ID to continue after."""
        query = User.query()
        if wanted.q:
            query = query.filter_by(email_norm__startswith=wanted.q.lower())
        for name in ("status", "role", "sending"):
            if (value := getattr(wanted, name)) is not None:
                query = query.filter_by(**{name: value})
        return await page_by_id(query, limit=wanted.limit, after=wanted.after)

    @staticmethod
    async def find(user_id: UUID) -> User:
        """Return an account.

        :raises AccountNotFound: no account has this ID.
        """
        user = await User.get_or_none(user_id)
        if user is None:
            raise AccountNotFound
        return user

    async def change(self, user_id: UUID, changes: UserPatch, actor: Actor) -> User:
        """Block or unblock an account, give it a role, or approve it for sending.

        The role of the caller is read again, so that of two administrators who demote each other one succeeds.

        :raises AccountNotFound: no account has this ID.
        :raises OwnAccount: it is the caller's, who could lock themselves out.
        :raises PermissionMissing: the caller's role does not include a change.
        :raises HigherRole: the account has the caller's role or a higher one, and the caller is no administrator.
        """
        user, role = await _lock(user_id, actor)
        _require_permissions(role, changes)
        _require_lower(user, role, actor)
        await self._change_status(user, changes, actor)
        if changes.role is not None and (revoked := await self.users.set_role(user, changes.role, actor)) is not None:
            self.sessions.deny(revoked)
        if changes.sending is not None and changes.sending != user.sending:
            details = {"from": user.sending, "to": changes.sending}
            await user.update(sending=changes.sending)
            await audit.record(
                "user.sending_changed", actor, subject_id=user.id, target=f"user:{user.id}", details=details
            )
        return user

    async def reset_second_factor(self, user_id: UUID, actor: Actor) -> None:
        """Turn off a second factor that its owner has lost, end the owner's sessions, and notify them.

        :raises AccountNotFound, OwnAccount, PermissionMissing: as `change`.
        :raises MfaNotEnabled: it is not on.
        """
        user, role = await _lock(user_id, actor)
        if Permission.SECOND_FACTORS_RESET not in role.permissions:
            raise PermissionMissing(Permission.SECOND_FACTORS_RESET)
        _require_lower(user, role, actor)
        await audit.record("user.second_factor_reset", actor, subject_id=user.id, target=f"user:{user.id}")
        # By the system, as the mail gives the actor's address: the administrator's is not the owner's business.
        await self.mfa.disable(user.id, SYSTEM)
        await self.sessions.end_all(user.id, "second_factor_reset")

    async def list_keys(self, user_id: UUID, *, limit: int, after: UUID | None) -> tuple[Sequence[ApiKey], UUID | None]:
        """Return a page of a user's API keys; as `ApiKeys.list_keys`.

        :raises AccountNotFound: no account has this ID.
        """
        await self.find(user_id)
        return await self.keys.list_keys(user_id, limit=limit, after=after)

    async def revoke_key(self, user_id: UUID, key_id: UUID, actor: Actor) -> None:
        """Delete an API key of a user, who could activate a stopped one again.

        :raises AccountNotFound, OwnAccount, PermissionMissing, HigherRole: as `change`.
        :raises KeyNotFound: the user has no key with this ID.
        """
        user, role = await _lock(user_id, actor)
        if Permission.KEYS_REVOKE not in role.permissions:
            raise PermissionMissing(Permission.KEYS_REVOKE)
        _require_lower(user, role, actor)
        await self.keys.delete(key_id, user.id, actor)

    async def _change_status(self, user: User, changes: UserPatch, actor: Actor) -> None:
        if changes.status is None or changes.status == user.status:
            return
        if changes.status == "blocked":
            self.sessions.deny(await self.users.block(user, actor))
        else:
            await self.users.unblock(user, actor)


async def _lock(user_id: UUID, actor: Actor) -> tuple[User, Role]:
    """Return the account, and the role of the caller as it is now. Both stay as they are."""
    both = {row.id: row for row in await User.filter_by(id__in=[user_id, actor.user_id]).order_by("id").lock().all()}
    user, caller = both.get(user_id), both.get(actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise AccountNotFound
    return user, Role(caller.role) if caller is not None and caller.is_active else Role.USER


def _require_lower(user: User, role: Role, actor: Actor) -> None:
    if user.id == actor.user_id:
        raise OwnAccount
    if role != Role.ADMINISTRATOR and Role(user.role).includes(role):
        raise HigherRole


def _require_permissions(role: Role, changes: UserPatch) -> None:
    needed = (
        (changes.status, Permission.USERS_BLOCK),
        (changes.role, Permission.ROLES_ASSIGN),
        (changes.sending, Permission.SENDERS_APPROVE),
    )
    for value, permission in needed:
        if value is not None and permission not in role.permissions:
            raise PermissionMissing(permission)
