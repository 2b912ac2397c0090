"""Assertions: a user's authorisation of one action, with which a service acts in another on the user's behalf."""

from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.audit import Actor
from bongsu.identity.key_source import current_signing_key
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu_auth.assertions.schemas import AssertionIn
from bongsu_auth.errors import AccountBlocked


class Assertions:
    """Issues assertions, in the caller's unit of work."""

    def __init__(self, issuer: AssertionIssuer, vault: Vault) -> None:
        self._issuer = issuer
        self._vault = vault

    async def issue(self, action: AssertionIn, user_id: UUID, session_id: UUID, actor: Actor) -> str:
        """Issue an assertion for one action of a user, in a session.

        :raises AccountBlocked: the account was blocked or deleted.
        """
        user = await User.get_or_none(user_id)
        if user is None or not user.is_active:
            raise AccountBlocked
        token = self._issuer.issue(
            await current_signing_key(self._vault),
            user_id=user_id,
            session_id=session_id,
            audience=action.audience,
            method=action.method,
            target=action.target,
            after=user.tokens_denied_until,
        )
        await audit.record(
            "assertion.issued",
            actor,
            subject_id=user_id,
            target=action.target,
            details={"audience": action.audience, "method": action.method},
        )
        return token
