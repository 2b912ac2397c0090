"""Each nonce of a signed request works once, at whichever replica it arrives."""

import asyncio
import base64
import contextvars
import hashlib
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import RequestNonce
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Conflict, utc_now

LIFETIME = timedelta(seconds=120)
"""Longer than any signature stays fresh: `created` may lie 30 s ahead and is accepted until 30 s after."""

SWEEP_LIMIT_S = 30


AT_ONCE = 200


async def use_nonce(access_key: str, nonce: str) -> bool:
    """Whether this is the nonce's first use with this key. Its row is committed at once, in a transaction of its own.

    Call it outside of a unit of work: in one, a rollback would give the nonce back.
    """
    return await _insert(_digest(access_key, nonce))


class NonceWriter:
    """Uses nonces for many requests at once: those that arrive while others are being written share one transaction.

    A signed request costs a row that nobody reads, and a commit is most of that cost.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def use(self, access_key: str, nonce: str) -> bool:
        """As `use_nonce`, in or outside of a unit of work. It is committed before this returns."""
        used: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((_digest(access_key, nonce), used))
        if self._writing is None or self._writing.done():
            # A task of its own, so that no request that leaves ends it for the rest, in a context of its own, so that
            # it is in nobody's unit of work.
            self._writing = asyncio.create_task(self._write(), name="nonces", context=contextvars.Context())
        return await used

    async def _write(self) -> None:
        while batch := self._waiting[:AT_ONCE]:
            del self._waiting[:AT_ONCE]
            try:
                results = await _insert_all([digest for digest, _ in batch])
            except BaseException as error:
                for _, used in batch:
                    if not used.done():
                        used.set_exception(error if isinstance(error, Exception) else ConnectionError("stopped"))
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, used), result in zip(batch, results, strict=True):
                if not used.done():
                    used.set_result(result)


async def _insert_all(digests: list[str]) -> list[bool]:
    """Whether each is new. Of several that are the same, one is."""
    if len(digests) > 1:
        try:
            # As rows: nobody reads them back, and every signed request pays for it.
            await RequestNonce.bulk_create([_row(digest) for digest in digests])
        except Conflict:
            pass  # one of them was used before: which?
        else:
            return [True] * len(digests)
    return [await _insert(digest) for digest in digests]


async def _insert(digest: str) -> bool:
    try:
        await RequestNonce.bulk_create([_row(digest)])
    except Conflict:
        return False
    return True


def _row(digest: str) -> dict[str, object]:
    return {"digest": digest, "expires_at": datetime.now(UTC) + LIFETIME}


def _digest(access_key: str, nonce: str) -> str:
    digest = hashlib.sha256(f"{access_key}\0{nonce}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def sweep_nonces() -> int:
    """Removes nonces that no fresh signature can carry any more; how many."""
    return await sweep(RequestNonce, expires_at__lt=utc_now(-SWEEP_LIMIT_S))
