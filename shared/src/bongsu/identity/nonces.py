"""Nonces, each of which works once, at any replica."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Conflict, utc_now

LIFETIME = timedelta(seconds=120)
"""Longer than any signature is fresh: `created` may be 30 s in the future, and is accepted for 30 s more."""

SWEEP_LIMIT_S = 30


async def use_nonce(access_key: str, nonce: str) -> bool:
    """Use a nonce; return whether this is its first use with the key.

    The row has a transaction of its own. Call this outside of a unit of work, whose rollback would allow the nonce
    again.
    """
    digest = hashlib.sha256(f"{access_key}\0{nonce}".encode()).digest()
    row = {
        "digest": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "expires_at": datetime.now(UTC) + LIFETIME,
    }
    try:
        # In bulk, because that reads nothing back, and every signed request waits for it.
        await RequestNonce.bulk_create([row])
    except Conflict:
        return False
    return True


async def sweep_nonces() -> int:
    """Delete nonces that no fresh signature can have; return how many."""
    return await sweep(RequestNonce, expires_at__lt=utc_now(-SWEEP_LIMIT_S))
