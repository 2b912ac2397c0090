"""Users with a Discord account, and their assertions, made as auth makes them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu.contracts.rpc import BOT_AUDIENCE, GuildLeaveRequest, guild_target
from bongsu.identity.assertions import AssertionIssuer
from bongsu.identity.key_source import current_signing_key
from bongsu.identity.models import LinkedAccount, User
from bongsu.identity.tokens import SigningKey
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from tests.fake import seeded

PUBLIC_URL = "http://localhost:8000"
FAKE = seeded("actors")


@dataclass(frozen=True)
class Actor:
    """A signed-in user."""

    user_id: UUID
    vault: Vault

    async def assertion(
        self,
        guild_id: int,
        *,
        audience: str = BOT_AUDIENCE,
        method: str = "guild_leave",
        issuer: str = PUBLIC_URL,
        key: SigningKey | None = None,
    ) -> str:
        """Issue an assertion for one action."""
        return AssertionIssuer(issuer).issue(
            key or await current_signing_key(self.vault),
            user_id=self.user_id,
            session_id=uuid7(),
            audience=audience,
            method=method,
            target=guild_target(guild_id),
        )

    async def leave(self, guild_id: int, *, key: str = "key-0001") -> GuildLeaveRequest:
        """Build a leave request with a new assertion."""
        return GuildLeaveRequest(guild_id=guild_id, assertion=await self.assertion(guild_id), idempotency_key=key)


async def make_actor(vault: Vault, discord_id: int | None) -> Actor:
    """Create a user, linked to a Discord account unless `discord_id` is None."""
    user = await User.create(email_norm=FAKE.mail_address(), email_verified_at=datetime.now(UTC), status="active")
    if discord_id is not None:
        await LinkedAccount.create(
            user_id=user.id,
            provider="discord",
            subject=str(discord_id),
            scopes="identify guilds",
            last_used_at=datetime.now(UTC),
        )
    return Actor(user.id, vault)
