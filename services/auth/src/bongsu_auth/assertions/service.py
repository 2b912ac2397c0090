"""The rule of assertions. It needs an open unit of work."""

from uuid import UUID

from bongsu.identity import audit
from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.audit import Actor
from bongsu.identity.key_source import current_signing_key
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu_auth.assertions.schemas import AssertionIn
from bongsu_auth.errors import AccountBlocked


async def issue(  # noqa: PLR0913, PLR0917 - each is one fact about who asks
    asked: AssertionIn, user_id: UUID, session_id: UUID, actor: Actor, issuer: AssertionIssuer, vault: Vault
) -> str:
    """An assertion for one action of a user, in a session.

    :raises AccountBlocked: the account was blocked, or is gone.
    """
    user = await User.get_or_none(user_id)
    if user is None or not user.is_active:
        raise AccountBlocked("The account is blocked")
    token = issuer.issue(
        await current_signing_key(vault),
        user_id=user_id,
        session_id=session_id,
        audience=asked.audience,
        method=asked.method,
        target=asked.target,
        after=user.tokens_denied_until,
    )
    await audit.record(
        "assertion.issued",
        actor,
        subject_id=user_id,
        target=asked.target,
        details={"audience": asked.audience, "method": asked.method},
    )
    return token
