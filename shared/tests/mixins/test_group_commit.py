import asyncio
import gc
from collections import Counter
from collections.abc import Sequence

import pytest
from pymysql import err as mysql
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from bongsu.mixins import Database, GroupCommit, uuid7
from bongsu.mixins.group_commit import TRIES_ALONE
from shared.tests.identity.proxy import proxied
from shared.tests.mixins.library import Author, LibraryBase
from tests.eventually import eventually


class Writer:
    """Writes nothing, records each batch, and does what a test sets."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.started = asyncio.Event()
        self.errors: list[Exception] = []
        self.guilty: set[str] = set()

    @property
    def items(self) -> list[str]:
        return [item for batch in self.batches for item in batch]

    async def __call__(self, items: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append([*items])
        self.started.set()
        for item in items:
            if item in self.gates:
                await self.gates[item].wait()
        if self.errors:
            raise self.errors.pop()
        if self.guilty & {*items}:
            raise ValueError("bad data")
        return [item.upper() for item in items]


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def commit(db: Database, writer: Writer) -> GroupCommit[str, str]:
    return GroupCommit(db, writer, max_items=8, stall_s=60)


async def _write_authors(emails: Sequence[str]) -> Sequence[str]:
    await Author.bulk_create([{"email": email} for email in emails])
    return emails


class TestSubmit:
    async def test_submit_writes_a_lone_item_without_waiting(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        assert await commit.submit("a") == "A"
        assert writer.batches == [["a"]]

    async def test_items_share_the_next_transaction_when_they_arrive_during_one(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.gates["a"] = asyncio.Event()
        first = asyncio.create_task(commit.submit("a"))
        await writer.started.wait()
        others = [asyncio.create_task(commit.submit(item)) for item in "bcd"]
        await asyncio.sleep(0)
        writer.gates["a"].set()
        assert await asyncio.gather(first, *others) == ["A", "B", "C", "D"]
        assert writer.batches == [["a"], ["b", "c", "d"]]

    async def test_transaction_takes_no_more_items_than_its_limit(self, db: Database, writer: Writer) -> None:
        commit = GroupCommit(db, writer, max_items=3, stall_s=60)
        await asyncio.gather(*(commit.submit(item) for item in "abcdefgh"))
        assert max(len(batch) for batch in writer.batches) == 3
        assert sorted(writer.items) == [*"abcdefgh"]

    async def test_items_are_committed_when_submit_returns(self, db: Database) -> None:
        commit = GroupCommit(db, _write_authors)
        emails = [f"{number}@example.com" for number in range(20)]
        await asyncio.gather(*(commit.submit(email) for email in emails))
        assert await Author.filter_by(email__in=emails).count() == 20

    async def test_submit_works_when_the_caller_is_in_a_unit_of_work(self, db: Database) -> None:
        commit = GroupCommit(db, _write_authors)
        async with asyncio.timeout(30), db.unit():
            assert await commit.submit("a") == "a"

    async def test_result_is_raised_to_its_own_submitter_when_it_is_an_exception(self, db: Database) -> None:
        async def write(items: Sequence[str]) -> Sequence[str | Exception]:
            return [KeyError(item) if item == "b" else item for item in items]

        commit = GroupCommit(db, write)
        results = await asyncio.gather(*(commit.submit(item) for item in "abc"), return_exceptions=True)
        assert [type(result) for result in results] == [str, KeyError, str]


class TestSubmitAll:
    async def test_results_are_in_order_beside_the_error_of_the_item_that_fails(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.guilty = {"b"}
        first, error, last = await commit.submit_all([*"abc"])
        assert (first, last) == ("A", "C")
        assert isinstance(error, ValueError)

    async def test_items_of_several_transactions_return_together(self, db: Database, writer: Writer) -> None:
        commit = GroupCommit(db, writer, max_items=3, stall_s=60)
        assert await commit.submit_all([*"abcdefgh"]) == [*"ABCDEFGH"]
        assert max(len(batch) for batch in writer.batches) == 3

    async def test_only_the_item_that_takes_too_long_fails(self, db: Database, writer: Writer) -> None:
        commit = GroupCommit(db, writer, max_items=1, stall_s=0.01, limit_s=2.0)
        writer.gates["b"] = asyncio.Event()
        first, late, last = await commit.submit_all([*"abc"])
        assert (first, last) == ("A", "C")
        assert isinstance(late, TimeoutError)

    async def test_no_items_have_no_results(self, commit: GroupCommit[str, str]) -> None:
        assert await commit.submit_all([]) == []


class TestStalledTransaction:
    async def test_items_are_written_when_an_earlier_transaction_is_stalled(self, db: Database, writer: Writer) -> None:
        """Head-of-line blocking: a transaction that waits for a lock must not hold back every later one."""
        commit = GroupCommit(db, writer, max_flights=3, stall_s=0.01)
        writer.gates["slow"] = asyncio.Event()
        slow = asyncio.create_task(commit.submit("slow"))
        await writer.started.wait()
        async with asyncio.timeout(30):
            assert await asyncio.gather(*(commit.submit(item) for item in "abc")) == ["A", "B", "C"]
            assert not slow.done()
            writer.gates["slow"].set()
            assert await slow == "SLOW"

    async def test_flights_are_bounded_when_every_transaction_is_stalled(self, writer: Writer, db: Database) -> None:
        commit = GroupCommit(db, writer, max_flights=2, stall_s=0.01)
        writer.gates = {item: asyncio.Event() for item in "abc"}
        first = asyncio.create_task(commit.submit("a"))
        await eventually(lambda: writer.batches == [["a"]])
        second = asyncio.create_task(commit.submit("b"))
        await eventually(lambda: writer.batches == [["a"], ["b"]])
        third = asyncio.create_task(commit.submit("c"))
        await asyncio.sleep(0.05)  # longer than a stall
        assert len(writer.batches) == 2
        for gate in writer.gates.values():
            gate.set()
        assert [*await asyncio.gather(first, second, third)] == ["A", "B", "C"]


class Locked:
    """Writes items, except those that start with `locked`: they wait for a lock in vain, once they were tried alone
    until `free` is set."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        """How often each was tried alone."""
        self.free = asyncio.Event()

    async def __call__(self, items: Sequence[str]) -> Sequence[str]:
        if len(items) == 1:
            self.tries.update(items)
        for item in items:
            if item.startswith("locked"):
                if self.tries[item] > 1:
                    await self.free.wait()
                raise OperationalError("INSERT", {}, mysql.OperationalError(1205, "Lock wait timeout exceeded"))
        return items


class TestLockedItem:
    """An item whose row stays locked waits for it without a place that others need."""

    @pytest.fixture
    def locked(self) -> Locked:
        return Locked()

    async def test_transaction_starts_while_an_item_that_was_alone_waits_again(
        self, db: Database, locked: Locked
    ) -> None:
        commit = GroupCommit(db, locked, max_flights=1, stall_s=60)
        waiting = asyncio.create_task(commit.submit("locked"))
        await eventually(lambda: locked.tries["locked"] == 2)
        async with asyncio.timeout(30):
            assert await commit.submit("a") == "a"
        assert not waiting.done()
        locked.free.set()
        with pytest.raises(OperationalError):
            await waiting

    async def test_others_of_its_transaction_are_written_while_locked_items_wait_again(
        self, db: Database, locked: Locked
    ) -> None:
        commit = GroupCommit(db, locked, max_flights=1, stall_s=60)
        items = ["locked-1", "a", "locked-2", "locked-3", "b"]
        submitted = {item: asyncio.create_task(commit.submit(item)) for item in items}
        async with asyncio.timeout(30):
            assert [await submitted["a"], await submitted["b"], await commit.submit("c")] == ["a", "b", "c"]
        assert not any(task.done() for item, task in submitted.items() if item.startswith("locked"))
        locked.free.set()
        await commit.close()
        assert [locked.tries[item] for item in items] == [TRIES_ALONE, 1, TRIES_ALONE, TRIES_ALONE, 1]

    async def test_close_waits_for_an_item_that_waits_for_its_lock(self, db: Database, locked: Locked) -> None:
        commit = GroupCommit(db, locked)
        waiting = asyncio.create_task(commit.submit("locked"))
        await eventually(lambda: locked.tries["locked"] == 2)
        closing = asyncio.create_task(commit.close())
        await asyncio.sleep(0)
        assert not closing.done()
        locked.free.set()
        await closing
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), OperationalError)


@pytest.mark.parametrize("backend", [pytest.param("aiomysql", marks=pytest.mark.mysql)], indirect=True)
class TestStuckTransaction:
    """Another process has stopped in the middle of its transaction, or the server is gone without a sign."""

    async def test_only_the_item_of_a_locked_row_fails_when_the_lock_stays(self, db: Database, url: URL) -> None:
        async def write(emails: Sequence[str]) -> Sequence[str]:
            await Author.upsert([{"email": email} for email in sorted(emails)], by="email", update=[])
            return emails

        # The limit has a test of its own: how often the locked item is tried in time depends on the machine.
        commit = GroupCommit(db, write, limit_s=100)
        other = Database(url, LibraryBase)
        db.base.__database__ = db
        try:
            async with other.session() as stuck:
                await Author.bulk_create([{"email": "locked"}], session=stuck)
                results = await asyncio.gather(
                    *(commit.submit(email) for email in ("a", "locked", "z")), return_exceptions=True
                )
                assert (results[0], results[2]) == ("a", "z")
                assert isinstance(results[1], OperationalError)
        finally:
            await other.dispose()

    async def test_lone_item_is_written_when_a_lock_is_free_after_more_than_a_second(
        self, db: Database, url: URL
    ) -> None:
        again, calls = asyncio.Event(), 0

        async def write(emails: Sequence[str]) -> Sequence[str]:
            nonlocal calls
            calls += 1
            if calls == 2:
                again.set()  # the first try has waited for the lock in vain
            await Author.upsert([{"email": email} for email in emails], by="email", update=[])
            return emails

        commit = GroupCommit(db, write, limit_s=100)
        other = Database(url, LibraryBase)
        db.base.__database__ = db
        try:
            async with other.session() as stuck:
                await Author.bulk_create([{"email": "locked"}], session=stuck)
                written = asyncio.create_task(commit.submit("locked"))
                await again.wait()
                await stuck.rollback()
                assert await written == "locked"
        finally:
            await other.dispose()

    async def test_submitters_fail_in_time_when_the_server_no_longer_answers(self, url: URL) -> None:
        async with proxied(url.render_as_string(hide_password=False)) as (proxy, through):
            db = Database(through, LibraryBase)
            commit = GroupCommit(db, _write_authors, limit_s=0.5, max_flights=1)
            await db.ping()
            proxy.silence()
            async with asyncio.timeout(30):
                first = asyncio.create_task(commit.submit("a"))
                await asyncio.sleep(0)
                results = await asyncio.gather(first, *map(commit.submit, "bcd"), return_exceptions=True)
                assert {type(result) for result in results} == {TimeoutError}
                await commit.close()
                proxy.answer()
                # On a busy machine, to connect may take longer than the limit.
                assert await eventually(lambda: commit.submit(str(uuid7())), ignoring=(TimeoutError,))
                await db.dispose()


class TestCancelledSubmitter:
    async def test_write_lock_is_free_when_submitters_are_cancelled_at_any_moment(self, db: Database, url: URL) -> None:
        commit = GroupCommit(db, _write_authors)
        for pauses in range(40):
            tasks = [asyncio.create_task(commit.submit(f"{uuid7()}@example.com")) for _ in range(3)]
            for _ in range(pauses):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await commit.close()
        gc.collect()
        other = Database(url, LibraryBase, busy_timeout_s=0.1)
        try:
            await Author.create(email="after@example.com")
        finally:
            await other.dispose()

    async def test_item_is_taken_back_when_its_submitter_is_cancelled_while_it_waits(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.gates["a"] = asyncio.Event()
        first, second = (asyncio.create_task(commit.submit(item)) for item in "ab")
        await writer.started.wait()
        third = asyncio.create_task(commit.submit("c"))
        await asyncio.sleep(0)
        third.cancel()
        writer.gates["a"].set()
        await asyncio.gather(first, second, third, return_exceptions=True)
        await commit.close()
        assert "c" not in writer.items

    async def test_item_is_taken_back_when_its_submitter_is_cancelled_before_its_transaction_is_repeated(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        """The submitter may submit it again, and the later transaction may end first."""
        writer.gates["a"] = asyncio.Event()
        writer.errors = [OperationalError("INSERT", {}, mysql.OperationalError(1213, "Deadlock found"))]
        first, second = (asyncio.create_task(commit.submit(item)) for item in "ab")
        await writer.started.wait()
        second.cancel()
        await asyncio.wait([second])
        writer.gates["a"].set()
        assert await first == "A"
        assert writer.batches == [["a", "b"], ["a"]]

    async def test_others_are_written_when_one_submitter_is_cancelled_during_the_transaction(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.gates["a"] = asyncio.Event()
        first, second = (asyncio.create_task(commit.submit(item)) for item in "ab")
        await writer.started.wait()
        first.cancel()
        writer.gates["a"].set()
        assert await second == "B"

    async def test_close_waits_for_transactions_in_flight(self, commit: GroupCommit[str, str], writer: Writer) -> None:
        writer.gates["a"] = asyncio.Event()
        first = asyncio.create_task(commit.submit("a"))
        await writer.started.wait()
        closing = asyncio.create_task(commit.close())
        await asyncio.sleep(0)
        assert not closing.done()
        writer.gates["a"].set()
        await closing
        assert await first == "A"


class TestErrors:
    async def test_only_the_guilty_item_fails_when_the_data_is_bad(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.guilty = {"c"}
        results = await asyncio.gather(*(commit.submit(item) for item in "abcdefgh"), return_exceptions=True)
        assert [result for result in results if isinstance(result, str)] == [*"ABDEFGH"]
        assert isinstance(results[2], ValueError)
        assert len(writer.batches) == 7  # halves: 8; 4, 4; 2, 2; 1, 1

    async def test_transaction_is_repeated_when_the_database_breaks_a_deadlock(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        deadlock = OperationalError("INSERT", {}, mysql.OperationalError(1213, "Deadlock found"))
        writer.errors = [deadlock, deadlock]
        assert await asyncio.gather(*(commit.submit(item) for item in "ab")) == ["A", "B"]
        assert writer.batches == [["a", "b"]] * 2 + [["a"], ["b"]]

    async def test_nothing_is_committed_when_results_are_missing(self, db: Database) -> None:
        async def write(emails: Sequence[str]) -> Sequence[str]:
            return (await _write_authors(emails))[1:]

        commit = GroupCommit(db, write)
        results = await asyncio.gather(*(commit.submit(email) for email in "ab"), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError] * 2
        assert await Author.row_count() == 0

    async def test_every_item_fails_immediately_when_the_database_is_unavailable(
        self, commit: GroupCommit[str, str], writer: Writer
    ) -> None:
        writer.errors = [ConnectionResetError()]
        results = await asyncio.gather(*(commit.submit(item) for item in "abcd"), return_exceptions=True)
        assert [type(result) for result in results] == [ConnectionResetError] * 4
        assert len(writer.batches) == 1


class TestOverlappingKeys:
    async def test_each_key_has_one_winner_when_transactions_overlap(self, db: Database) -> None:
        """A no-op upsert in sorted order, and a read by id of who won: nothing is lost to conflicts or deadlocks."""

        async def write(items: Sequence[tuple[str, str]]) -> Sequence[bool]:
            rows = [{"id": uuid7(), "email": email, "name": name} for email, name in sorted(items)]
            await Author.upsert(rows, by="email", update=[])
            won = {*await Author.filter_by(id__in=[row["id"] for row in rows]).pluck("name")}
            return [name in won for _, name in items]

        flights = [GroupCommit(db, write, max_items=16) for _ in range(6)]
        items = [
            (flight, (f"{key}@example.com", f"{number}-{key}"))
            for number, flight in enumerate(flights)
            for key in range(16)
        ]
        won = await asyncio.gather(*(flight.submit(item) for flight, item in items))
        assert sum(won) == await Author.row_count() == 16
