"""Rows for the tests of identity."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu.identity.api_keys import secret_context
from bongsu.identity.models import ApiKey, User
from bongsu.identity.scopes import KEY_SCOPES, Role, format_scopes
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from tests.fake import Fake

SECRET = "bsk_" + "s" * 43


@dataclass
class Seeds:
    """Creates rows."""

    vault: Vault
    fake: Fake

    async def user(self, *, role: Role = Role.USER) -> User:
        return await User.create(
            email_norm=self.fake.mail_address(),
            email_verified_at=datetime.now(UTC),
            hashed_password="",
            role=role.value,
            status="active",
            tokens_denied_until=0,
        )

    async def key(self, user_id: UUID, *, access_key: str = "bak_test", secret: str = SECRET) -> ApiKey:
        key_id = uuid7()
        return await ApiKey.create(
            id=key_id,
            user_id=user_id,
            access_key=access_key,
            sealed_secret=self.vault.seal(secret, aad=secret_context(key_id)),
            scopes=format_scopes(KEY_SCOPES),
            mode="live",
            status="active",
        )
