"""Group commit: one transaction writes everything that arrived while another was in flight."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from bongsu.mixins.database import Database
from bongsu.mixins.failures import is_deadlock, is_unavailable, may_be_repeated

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES_ALONE = 4
"""How often an item that is alone waits for a lock, a second each."""


class _Submission(Generic[Result]):
    """What waits for the results of items that were submitted together."""

    def __init__(self, count: int) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._results: dict[int, Result | Exception] = {}
        self._count = count

    def resolve(self, at: int, result: Result | Exception) -> None:
        self._results[at] = result
        if len(self._results) == self._count and not self.future.done():
            self.future.set_result(None)

    def read(self, missing: Exception | None = None) -> Sequence[Result | Exception]:
        """The results; with `missing` in the place of those that are not there."""
        return [self._results[at] if missing is None else self._results.get(at, missing) for at in range(self._count)]


@dataclass(frozen=True, slots=True, eq=False)
class _Entry(Generic[Item, Result]):
    item: Item
    at: int
    """Its place in its submission."""
    submission: _Submission[Result]

    @property
    def is_abandoned(self) -> bool:
        """Whether its submitter waits no more."""
        return self.submission.future.done()


class GroupCommit(Generic[Item, Result]):
    """Writes items in shared transactions: `result = await commit.submit(item)`.

    An item that finds no transaction in flight starts one immediately. Items that arrive meanwhile share the next: it
    starts when the first has written its items and waits for its COMMIT, or after `stall_s` if the first is slow, as it
    waits for a lock for example.

    A deadlock repeats the transaction. A second one, or a lock that is not free after a second, writes each item alone:
    one locked row fails no other item, and delays the others of its transaction by that second. An item that is alone
    waits a few seconds more: on a busy machine, those before it hold a lock for longer than one. Meanwhile it holds no
    place of a transaction, nor of an item that is tried alone for the first time. Another error that means "the
    database is unavailable" fails every item. Any other error splits the items, until the one that causes it fails
    alone.

    :param write: writes items inside the transaction's unit of work, and returns one result each, in order; an
        exception among them is raised to its own submitter. It may run more than once for the same items. Until it
        first awaits, the submitters of all of them wait for it.
    :param max_items: how many items a transaction takes.
    :param max_flights: how many transactions are in flight, stalled ones included.
    :param limit_s: how long a submitter waits, and how long a transaction may take: a server that vanished would be
        waited for forever.
    """

    def __init__(  # noqa: PLR0913 - limits, for tests to pass others
        self,
        database: Database,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_items: int = 64,
        max_flights: int = 4,
        stall_s: float = 0.05,
        limit_s: float = 10.0,
    ) -> None:
        self.database = database
        self._write = write
        self._max_items = max_items
        self._max_flights = max_flights
        self._stall_s = stall_s
        self._limit_s = limit_s
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._moving: set[asyncio.Task[None]] = set()
        """The flights that are writing and have not stalled."""
        self._alone: set[asyncio.Task[None]] = set()
        # Both bound connections. Items whose row stays locked wait among themselves.
        self._first_tries = asyncio.Semaphore(max_flights)
        self._repeats = asyncio.Semaphore(max(1, max_flights // 2))

    async def submit(self, item: Item) -> Result:
        """Write an item, and return its result once the transaction is committed.

        A submitter that is cancelled while the item waits takes it back; later the item is written all the same.

        :raises TimeoutError: it took too long; the item may be written all the same.
        """
        (result,) = await self.submit_all([item])
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_all(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        """Write items, and return their results, or why they were not written, once each of them is.

        Each is written or fails as if it had been submitted alone: one that takes too long has a TimeoutError.
        """
        if not items:
            return []
        submission = _Submission[Result](len(items))
        self._waiting += [_Entry(item, at, submission) for at, item in enumerate(items)]
        self._start()
        try:
            async with asyncio.timeout(self._limit_s):
                await submission.future
        except TimeoutError as error:
            return submission.read(missing=error)
        return submission.read()

    async def close(self) -> None:
        """Wait for the transactions in flight."""
        while running := self._flights | self._alone:
            await asyncio.wait(running)

    def _start(self) -> None:
        while self._waiting and len(self._flights) < self._max_flights:
            if self._moving and len(self._waiting) < self._max_items * len(self._moving):
                return
            # In a context of its own: a submitter's unit of work is not the transaction's.
            flight = asyncio.create_task(self._fly(), context=Context())
            self._flights.add(flight)
            self._moving.add(flight)
            timer = asyncio.get_running_loop().call_later(self._stall_s, self._stall, flight)
            flight.add_done_callback(partial(self._land, timer))

    def _stall(self, flight: asyncio.Task[None]) -> None:
        self._moving.discard(flight)
        self._start()

    def _land(self, timer: asyncio.TimerHandle, flight: asyncio.Task[None]) -> None:
        timer.cancel()
        self._flights.discard(flight)
        self._moving.discard(flight)
        self._start()

    async def _fly(self) -> None:
        # Taken when the task runs, and not when it was made: what came in the same moment goes with it.
        entries = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_items))]
        with _cancelled_together(entries):
            await self._commit(entries)

    async def _commit(self, entries: Sequence[_Entry[Item, Result]]) -> None:
        try:
            results = await self._write_once(entries)
        except Exception as error:  # noqa: BLE001 - it is the submitters'
            if may_be_repeated(error):
                for entry in entries:
                    self._start_alone(entry, is_repeat=len(entries) == 1)
                return
            if len(entries) > 1 and not is_unavailable(error):
                middle = len(entries) // 2
                await self._commit(entries[:middle])
                await self._commit(entries[middle:])
                return
            results = [error] * len(entries)
        _resolve(entries, results)

    def _start_alone(self, entry: _Entry[Item, Result], *, is_repeat: bool) -> None:
        task = asyncio.create_task(self._commit_alone(entry, is_repeat=is_repeat), context=Context())
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    async def _commit_alone(self, entry: _Entry[Item, Result], *, is_repeat: bool) -> None:
        with _cancelled_together([entry]):
            results: Sequence[Result | Exception] = []
            for attempt in range(is_repeat, TRIES_ALONE):
                async with self._repeats if attempt else self._first_tries:
                    try:
                        results = await self._write_once([entry])
                        break
                    except Exception as error:  # noqa: BLE001 - it is the submitter's
                        results = [error]
                        if not may_be_repeated(error):
                            break
            _resolve([entry], results)

    async def _write_once(self, entries: Sequence[_Entry[Item, Result]]) -> Sequence[Result | Exception]:
        async with asyncio.timeout(self._limit_s):
            return await self._run(partial(self._write_all, entries))

    async def _run(self, write: Callable[[], Awaitable[Sequence[Result | Exception]]]) -> Sequence[Result | Exception]:
        unit = self.database.unit(short_lock_wait=True)
        try:
            return await unit.run(write)
        except Exception as error:
            if not is_deadlock(error):
                raise
        return await unit.run(write)

    async def _write_all(self, entries: Sequence[_Entry[Item, Result]]) -> Sequence[Result | Exception]:
        # Its submitter may have submitted the item again meanwhile.
        awaited = [entry for entry in entries if not entry.is_abandoned]
        results = await self._write([entry.item for entry in awaited]) if awaited else []
        if len(results) != len(awaited):
            raise ValueError(f"{len(awaited)} items have {len(results)} results")  # nothing of it is committed
        flight = asyncio.current_task()
        if flight in self._moving:
            self._stall(flight)
        by_entry = dict(zip(awaited, results, strict=True))
        return [by_entry.get(entry, TimeoutError()) for entry in entries]


@contextmanager
def _cancelled_together(entries: Sequence[_Entry[Item, Result]]) -> Iterator[None]:
    """Cancel the submitters with the task that writes their items: nothing else would end their wait."""
    try:
        yield
    except BaseException:
        for entry in entries:
            entry.submission.future.cancel()
        raise


def _resolve(entries: Sequence[_Entry[Item, Result]], results: Sequence[Result | Exception]) -> None:
    for entry, result in zip(entries, results, strict=True):
        entry.submission.resolve(entry.at, result)
