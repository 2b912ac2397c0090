"""`Idempotency-Key`: the same key with the same request within the window answers with what it made the first time."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from bongsu import mixins
from bongsu.mixins import Database
from bongsu.runtime.errors import ServiceError
from bongsu_notify.errors import KeyInProgress
from bongsu_notify.notifications.schemas import Body

IDEMPOTENCY_WINDOW: Final = timedelta(hours=24)
T = TypeVar("T")


def fingerprint(request: Body) -> str:
    """A digest of the request, whatever its spacing and the order of its fields.

    A field at its default counts as left out, so that an optional field of the next release changes no digest.
    """
    given = request.model_dump(mode="json", exclude_defaults=True)
    canonical = json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


async def idempotent(
    database: Database,
    key: str | None,
    *,
    make: Callable[[], Awaitable[T]],
    replay: Callable[[str], Awaitable[T | None]],
) -> T:
    """Run `make` in a unit of work; where the key was used before, return what it made then.

    :raises KeyInProgress: another request with this key is still in progress.
    """
    for _ in range(2):
        try:
            return await database.run(make)
        except (mixins.Conflict, ServiceError) as error:
            if key is None:
                raise
            # The request may have been accepted before: its key is taken, or its time has passed since. Read in a
            # second unit, because the unit that lost may not see the winner's row (REPEATABLE READ).
            async with database.unit():
                if (found := await replay(key)) is not None:
                    return found
            if isinstance(error, ServiceError):
                raise
    raise KeyInProgress
