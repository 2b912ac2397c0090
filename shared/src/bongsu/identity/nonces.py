"""Each nonce of a signed request works once, at whichever replica it arrives."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Conflict, utc_now

LIFETIME = timedelta(seconds=120)
"""Longer than any signature stays fresh: `created` may lie 30 s ahead and is accepted until 30 s after."""

SWEEP_LIMIT_S = 30


async def use_nonce(access_key: str, nonce: str) -> bool:
    """Whether this is the nonce's first use with this key. Its row is committed at once, in a transaction of its own.

    Call it outside of a unit of work: in one, a rollback would give the nonce back.
    """
    digest = hashlib.sha256(f"{access_key}\0{nonce}".encode()).digest()
    row = {
        "digest": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "expires_at": datetime.now(UTC) + LIFETIME,
    }
    try:
        # As a row: nobody reads it back, and every signed request pays for it.
        await RequestNonce.bulk_create([row])
    except Conflict:
        return False
    return True


async def sweep_nonces() -> int:
    """Removes nonces that no fresh signature can carry any more; how many."""
    return await sweep(RequestNonce, expires_at__lt=utc_now(-SWEEP_LIMIT_S))
