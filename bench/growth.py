"""``python -m bench.growth [--rows N]``: does an operation take longer when there are more notifications?

Two databases of TEST_MYSQL_URL have 10,000 and 1,000,000 notifications of the same density: every tenth is one user's,
and an hour has as many in both. Each operation runs on both in turn, and it may take 1.3 times as long. On a busy
machine it runs more often, until the ratio is clear of the limit. A page or a count reads at most what the small
database has, so both read as much. The plans of the large one are listed. Not part of `make bench`: filling the tables
takes some minutes.
"""

import argparse
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, event, text

from bench.databases import MYSQL_VARIABLE, has_mysql, mysql
from bench.measure import is_clear_of
from bench.process import logging_as_a_process_does, run_as_a_process_does
from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.identity.models import User
from bongsu.mixins import Database, utc_now, uuid7
from bongsu.outbox.claims import Claims as OutboxClaims
from bongsu.outbox.models import OutboxMessage
from bongsu_notify.channels.email.schemas import EmailNotificationIn
from bongsu_notify.channels.port import Sent
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.deliveries.service import Deliveries
from bongsu_notify.notifications.lists import Filters, NotificationLists, Period
from bongsu_notify.notifications.principal import Principal
from bongsu_notify.notifications.retries import Retries
from bongsu_notify.notifications.schemas import RetryIn
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.settings import NotifySettings
from bongsu_notify.stats import service as stats
from bongsu_notify.stats.schemas import StatsQuery

SMALL: Final = 10_000
LARGE: Final = 1_000_000
MAX_GROWTH: Final = 1.3
ROUNDS: Final = 31
MOST_ROUNDS: Final = 4 * ROUNDS
CHUNK: Final = 50_000
USER: Final = UUID("00000000-0000-7000-8000-000000000001")
END: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""When the newest notification was accepted: one a second before it."""
REQUEST: Final = EmailNotificationIn.model_validate(
    {"channel": "email", "to": {"email": "r1@example.com"}, "content": {"subject": "제목", "text": "본문"}}
)

_NUMBERS = "CREATE TABLE numbers (n INT PRIMARY KEY, id BINARY(16) NOT NULL, at DATETIME(6) NOT NULL)"
_FIRST = (
    "INSERT INTO numbers VALUES (0, UNHEX(CONCAT(LPAD(HEX(:first_ms), 12, '0'), '78888888888888888880')), "
    "FROM_UNIXTIME(:first_ms / 1000))"
)
_DOUBLE = (
    "INSERT INTO numbers SELECT n + :count, UNHEX(CONCAT(LPAD(HEX(:first_ms + (n + :count) * 1000), 12, '0'), '7', "
    "LPAD(HEX(n + :count), 19, '8'))), FROM_UNIXTIME(:first_ms / 1000 + n + :count) FROM numbers "
    "WHERE n + :count < :rows"
)
_NOTIFICATIONS = (
    "INSERT INTO notifications (id, user_id, principal, idempotency_key, mode, channel, recipient, `to`, locale, "
    "subject, content, category, topic, priority, guarantee, details, status, attempt, attempts_before, created_at, "
    "updated_at) SELECT id, IF(n % 10 = 0, :user, UNHEX(LEFT(SHA2(n % 997, 256), 32))), 'user:1', "  # MySQL 9.7: no MD5
    "CONCAT('key-', n), 'live', IF(n DIV 10 % 10 = 0, 'discord', 'email'), "
    "CONCAT('r', n DIV 10 % 25, '@example.com'), '{}', 'ko', '제목', "
    "'{}', 'transactional', CONCAT('topic-', n DIV 10 % 5), 'normal', 'at-least-once', '{}', "
    "IF(n DIV 10 % 20 < 4, ELT(1 + n DIV 10 % 20, 'failed', 'bounced', 'sent', 'complained'), 'delivered'), 1, 0, "
    "at, at FROM numbers WHERE n >= :start AND n < :stop"
)
_EVENTS = (
    "INSERT INTO notification_events (id, notification_id, status, attempt, created_at, updated_at) "
    "SELECT id, id, 'accepted', 0, at, at FROM numbers WHERE n >= :start AND n < :stop"
)
_SCHEDULED = (
    "INSERT INTO outbox (id, lane, queue, body, headers, visible_at, attempts, strandings, created_at, updated_at) "
    "SELECT id, 1, 'notify.deliver.normal', '{}', '{}', UTC_TIMESTAMP() + INTERVAL 1 YEAR, 0, 0, at, at "
    "FROM numbers WHERE n >= :start AND n < :stop"
)


@dataclass
class Side:
    """A database with so many rows, and notify's services on it."""

    database: Database
    rows: int
    samples: dict[str, list[float]] = field(default_factory=dict)
    plans: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.use()
        self.lists = NotificationLists(window=300, count_limit=20)
        channels = create_channels(NotifySettings())
        self.notifications = Notifications(self.database, channels, everyone_is_live=True)
        self.retries = Retries(self.database, self.lists)
        self.deliveries = Deliveries(lease_s=60, max_attempts=8)
        self.outbox = OutboxClaims(self.database, claim_s=30)
        self.keys = 0

    def use(self) -> None:
        """Have the models use this database."""
        self.database.base.__database__ = self.database

    @property
    def first_ms(self) -> int:
        """When the oldest notification was accepted."""
        return int((END - timedelta(seconds=self.rows)).timestamp() * 1000)

    @property
    def middle(self) -> UUID:
        """The id of a notification in the middle."""
        n = self.rows // 2
        return UUID(f"{self.first_ms + n * 1000:012x}7{f'{n:x}'.rjust(19, '8')}")

    async def fill(self) -> None:
        """Fill the tables, by statements that copy no row through this process."""
        await User(id=USER, email_norm="me@example.com", email_verified_at=utc_now(), sending="live").save()
        values = {"first_ms": self.first_ms, "rows": self.rows, "user": USER.bytes}
        async with self.database.engine.connect() as connection:
            for statement in (_NUMBERS, _FIRST):
                await connection.execute(text(statement), values)
            count = 1
            while count < self.rows:
                await connection.execute(text(_DOUBLE), values | {"count": count})
                count *= 2
            for start in range(0, self.rows, CHUNK):
                part = values | {"start": start, "stop": start + CHUNK}
                for statement in (_NOTIFICATIONS, _EVENTS, _SCHEDULED):
                    await connection.execute(text(statement), part)
                await connection.commit()
            for table in ("notifications", "notification_events", "outbox"):
                await connection.exec_driver_sql(f"ANALYZE TABLE {table}")


Operation = Callable[[Side], Awaitable[object]]
ME: Final = Principal("user:1", USER)
STAFF: Final = Principal("user:2", USER, sees_all=True)


def _list(principal: Principal, *, deep: bool = False, **filters: object) -> Operation:
    async def run(side: Side) -> None:
        after = side.middle if deep else None
        wanted = Filters(**filters)  # type: ignore[arg-type]  # as each operation below names them
        page, _ = await side.lists.list_page(principal, wanted, limit=20, after=after)
        if len(page) != 20:
            raise RuntimeError(f"{filters} found {len(page)} notifications")

    return run


async def _search(side: Side) -> None:
    await side.lists.list_page(ME, Filters(search="nothing"), limit=20, after=None)


async def _accept(side: Side) -> None:
    side.keys += 1
    await side.notifications.submit(REQUEST, ME, idempotency_key=f"growth-{side.keys}")


async def _repeat(side: Side) -> None:
    await side.notifications.submit(REQUEST, ME, idempotency_key="growth-repeated")


async def _deliver(side: Side) -> None:
    made = await side.notifications.submit(REQUEST, ME, idempotency_key=None)
    await side.deliveries.peek([made.id])
    async with side.database.unit():
        claims = await side.deliveries.claim([made.id])
    async with side.database.unit():
        await side.deliveries.mark(claims, {made.id: Sent("m")})


async def _relay(side: Side) -> None:
    body = DeliveryWakeup(notification_id=uuid7()).model_dump(mode="json")
    values = {"lane": 1, "queue": "q", "body": body, "headers": {}, "visible_at": utc_now(-1), "attempts": 0}
    await OutboxMessage.bulk_create([values | {"strandings": 0}])
    claimed = await side.outbox.take(10)
    await side.outbox.mark_confirmed(claimed, strandings=0, stranded_after_s=60)


NEWEST: Final = Period(END - timedelta(minutes=5), END)
OPERATIONS: Final[dict[str, Operation]] = {
    **{
        f"{name}, {who}": _list(principal, **filters)  # type: ignore[arg-type]  # `deep` among them
        for who, principal in (("own", ME), ("all", STAFF))
        for name, filters in {
            "list": dict[str, object](),
            "list, page in the middle": {"deep": True},
            "list by status": {"statuses": ("failed",)},
            "list by status, in the middle": {"statuses": ("failed",), "deep": True},
            "list by two statuses": {"statuses": ("failed", "bounced")},
            "list by recipient": {"recipient": "r7@example.com"},
            "list by recipient, in the middle": {"recipient": "r7@example.com", "deep": True},
            "list by recipient and status": {"recipient": "r4@example.com", "statuses": ("delivered",)},
            "list by topic": {"topic": "topic-3"},
            "list by channel": {"channel": "discord"},
            "list of five minutes": {"period": NEWEST},
            "search by address": {"search": "r7@example.com"},
        }.items()
    },
    "search by text, own": _search,
    "counts by status, own": lambda side: side.lists.count_statuses(ME, Period()),
    "counts by status, all": lambda side: side.lists.count_statuses(STAFF, Period()),
    "counts of five minutes, own": lambda side: side.lists.count_statuses(ME, NEWEST),
    "statistics of five minutes, own": lambda _side: stats.count(_newest(), USER),
    "statistics of five minutes, all": lambda _side: stats.count(_newest(), None),
    "get with timeline": lambda side: side.notifications.find_with_timeline(side.middle, STAFF),
    "get content": lambda side: side.notifications.find_content(side.middle, STAFF),
    "accept with a key": _accept,
    "accept, key repeated": _repeat,
    "accept, claim and mark": _deliver,
    # Of all users: a retry reads the window of a search, and one user has fewer failed ones in the small database.
    "retry of many, one of them": lambda side: side.retries.retry(
        RetryIn(status=["failed"], limit=1), STAFF, idempotency_key=None
    ),
    "relay: claim and mark": _relay,
}


def _newest() -> StatsQuery:
    start = END - timedelta(minutes=5)
    return StatsQuery.model_validate({"from": start.isoformat(), "to": END.isoformat(), "bucket": "hour"})


@contextmanager
def planning(side: Side, name: str) -> Iterator[None]:
    """Note the plan of each statement: how each table is accessed, by which index, and about how many rows are read."""
    found = side.plans[name] = []
    engine = side.database.engine.sync_engine

    def explain(connection: Connection, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
            return
        explained = f"EXPLAIN FORMAT=TRADITIONAL {statement}"  # MySQL 9 draws a tree otherwise
        rows = connection.exec_driver_sql(explained, parameters).mappings()  # type: ignore[arg-type]  # as the statement has them
        found.extend(f"{row['table']}: {row['type']} {row['key'] or '-'} {row['rows']}" for row in rows if row["table"])

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", explain)


async def measure(sides: Sequence[Side]) -> None:
    """Run each operation on both databases in turn."""
    for name, operation in OPERATIONS.items():
        for side in sides:
            side.use()
            await operation(side)
            with planning(side, name):
                await operation(side)
            side.samples[name] = []
        for number in range(MOST_ROUNDS):
            if number % ROUNDS == 0 and number and is_clear_of(MAX_GROWTH, ratios(sides, name)):
                break
            for side in sides if number % 2 else sides[::-1]:
                side.use()
                start = time.perf_counter()
                await operation(side)
                side.samples[name].append(time.perf_counter() - start)


def ratios(sides: Sequence[Side], name: str) -> list[float]:
    """The growth in each round: of neighbours, as another process disturbs both alike, or one pair only."""
    small, large = sides
    return [after_s / before_s for before_s, after_s in zip(small.samples[name], large.samples[name], strict=True)]


@asynccontextmanager
async def filled(rows: int) -> AsyncIterator[Side]:
    """A database with so many notifications."""
    async with mysql() as database:
        side = Side(database, rows)
        sys.stderr.write(f"Filling {rows:,} rows\n")
        await side.fill()
        yield side


async def compare(rows: int) -> bool:
    """Measure and print; return whether every operation stays within the budget."""
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(filled(count)) for count in (SMALL, rows)]
        await measure(sides)
        _, large = sides
        is_kept = True
        print(f"{'operation':44}{SMALL:>10,}{rows:>12,}{'growth':>9}  plans at {rows:,} rows")
        for name in OPERATIONS:
            growth = median(ratios(sides, name))
            before_s, after_s = (median(side.samples[name]) for side in sides)
            is_kept &= growth < MAX_GROWTH
            verdict = "" if growth < MAX_GROWTH else " MISSED"
            plans = "; ".join(dict.fromkeys(large.plans[name]))
            print(f"{name:44}{before_s * 1e3:>8.2f}ms{after_s * 1e3:>10.2f}ms{growth:>8.2f}x{verdict}  {plans}")
    return is_kept


def main() -> int:
    """Run the comparison. The exit code is 1 if an operation grows too much."""
    parser = argparse.ArgumentParser(prog="bench.growth", description="Compare a small database with a large one.")
    parser.add_argument("--rows", type=int, default=LARGE, help=f"of the large database (default: {LARGE:,})")
    arguments = parser.parse_args()
    if not has_mysql():
        parser.error(f"set {MYSQL_VARIABLE}")
    with logging_as_a_process_does():
        return 0 if run_as_a_process_does(compare(arguments.rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
