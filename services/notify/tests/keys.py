"""API keys for tests, made as auth makes them."""

from bongsu.identity.api_keys import secret_context
from bongsu.identity.models import ApiKey, KeyMode, User
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7
from tests.fake import seeded

FAKE = seeded("keys")


async def make_key(
    user: User, vault: Vault, *, scopes: str = "notifications:read notifications:write", mode: KeyMode = "live"
) -> RequestSigner:
    """A signer with a new key of the user."""
    key_id, key = uuid7(), FAKE.api_key()
    await ApiKey.create(
        id=key_id,
        user_id=user.id,
        access_key=key.access_key,
        sealed_secret=vault.seal(key.secret_key, aad=secret_context(key_id)),
        scopes=scopes,
        mode=mode,
    )
    return RequestSigner(key.access_key, key.secret_key)
