"""API keys for tests, made as auth makes them."""

import secrets

from bongsu.identity.api_keys import secret_context
from bongsu.identity.models import ApiKey, KeyMode, User
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.vault import Vault
from bongsu.mixins import uuid7


async def make_key(
    user: User, vault: Vault, *, scopes: str = "notifications:read notifications:write", mode: KeyMode = "live"
) -> RequestSigner:
    """A signer with a new key of the user."""
    key_id, access_key, secret = uuid7(), f"bak_{secrets.token_hex(8)}", secrets.token_urlsafe(32)
    await ApiKey.create(
        id=key_id,
        user_id=user.id,
        access_key=access_key,
        sealed_secret=vault.seal(secret, aad=secret_context(key_id)),
        scopes=scopes,
        mode=mode,
    )
    return RequestSigner(access_key, secret)
