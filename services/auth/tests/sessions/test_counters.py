"""The outcomes of guesses: several are recorded by one statement."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from bongsu_auth.sessions.counters import Count, Outcome, Reservation, settle, subject_of, write_reserved
from bongsu_auth.sessions.models import LoginFailures
from services.auth.tests.stage import Stage

NOW = datetime.now(UTC)
SOON, LATER, LONG_AGO = NOW + timedelta(minutes=5), NOW + timedelta(minutes=9), NOW - timedelta(minutes=5)
ACCOUNT, OWN, OTHER_OWN, NETWORK, UNTOUCHED = (subject_of(name) for name in ("a", "o", "p", "n", "u"))


class Row(NamedTuple):
    failures: int
    pending: int
    blocked_until: datetime | None = None


def guess(own: str, *, blocks: Mapping[str, datetime] | None = None, late: bool = False) -> Reservation:
    return Reservation(own, (ACCOUNT, NETWORK), blocks or {}, LONG_AGO if late else LATER)


CASES: Mapping[str, tuple[Outcome, list[Reservation], Mapping[str, Row], Mapping[str, Row]]] = {
    "a right one forgets the wrong ones of its own counter, and their wait": (
        "right",
        [guess(OWN)],
        {OWN: Row(3, 1, SOON), ACCOUNT: Row(5, 1), NETWORK: Row(9, 2)},
        {OWN: Row(0, 0), ACCOUNT: Row(4, 0), NETWORK: Row(8, 1)},
    ),
    "those that are being checked stay counted": (
        "right",
        [guess(OWN)],
        {OWN: Row(5, 3), ACCOUNT: Row(5, 3), NETWORK: Row(5, 3)},
        {OWN: Row(2, 2), ACCOUNT: Row(4, 2), NETWORK: Row(4, 2)},
    ),
    "several that share counters are each taken off": (
        "right",
        [guess(OWN), guess(OWN), guess(OTHER_OWN)],
        {OWN: Row(4, 2), OTHER_OWN: Row(1, 1), ACCOUNT: Row(9, 3), NETWORK: Row(3, 3)},
        {OWN: Row(0, 0), OTHER_OWN: Row(0, 0), ACCOUNT: Row(6, 0), NETWORK: Row(0, 0)},
    ),
    "only the wait that they caused ends": (
        "right",
        [guess(OWN, blocks={ACCOUNT: SOON, NETWORK: SOON}), guess(OTHER_OWN, blocks={NETWORK: SOON})],
        {ACCOUNT: Row(5, 2, SOON), NETWORK: Row(5, 2, LATER)},
        {ACCOUNT: Row(3, 0), NETWORK: Row(3, 0, LATER)},
    ),
    "the same wait of another counter goes on": (
        "right",
        [guess(OWN, blocks={ACCOUNT: SOON})],
        {ACCOUNT: Row(5, 1, SOON), NETWORK: Row(5, 2, SOON)},
        {ACCOUNT: Row(4, 0), NETWORK: Row(4, 1, SOON)},
    ),
    "a wrong one stays counted, with its wait": (
        "wrong",
        [guess(OWN, blocks={OWN: SOON})],
        {OWN: Row(4, 1, SOON), ACCOUNT: Row(5, 2), NETWORK: Row(1, 1)},
        {OWN: Row(4, 0, SOON), ACCOUNT: Row(5, 1), NETWORK: Row(1, 0)},
    ),
    "one that was not checked is taken off everywhere, with its wait": (
        "unchecked",
        [guess(OWN, blocks={OWN: SOON})],
        {OWN: Row(4, 1, SOON), ACCOUNT: Row(5, 1), NETWORK: Row(1, 1, LATER)},
        {OWN: Row(3, 0), ACCOUNT: Row(4, 0), NETWORK: Row(0, 0, LATER)},
    ),
    "a late one leaves newer ones pending": (
        "right",
        [guess(OWN, late=True)],
        {OWN: Row(3, 2), ACCOUNT: Row(5, 2), NETWORK: Row(2, 1)},
        {OWN: Row(2, 2), ACCOUNT: Row(4, 2), NETWORK: Row(1, 1)},
    ),
    "a late one beside one in time": (
        "right",
        [guess(OWN, late=True), guess(OTHER_OWN)],
        {OWN: Row(3, 1), OTHER_OWN: Row(2, 1), ACCOUNT: Row(5, 2), NETWORK: Row(2, 1)},
        {OWN: Row(1, 1), OTHER_OWN: Row(0, 0), ACCOUNT: Row(3, 1), NETWORK: Row(0, 0)},
    ),
    "a late and wrong one changes nothing": (
        "wrong",
        [guess(OWN, late=True)],
        {OWN: Row(3, 2), ACCOUNT: Row(5, 2), NETWORK: Row(2, 1)},
        {OWN: Row(3, 2), ACCOUNT: Row(5, 2), NETWORK: Row(2, 1)},
    ),
    "none falls below zero": (
        "right",
        [guess(OWN), guess(OTHER_OWN)],
        {OWN: Row(0, 0), ACCOUNT: Row(1, 1), NETWORK: Row(0, 0)},
        {OWN: Row(0, 0), ACCOUNT: Row(0, 0), NETWORK: Row(0, 0)},
    ),
}


@pytest.mark.parametrize(("outcome", "guesses", "before", "after"), CASES.values(), ids=CASES)
async def test_outcomes_are_taken_off_the_counters(
    each_stage: Stage,
    outcome: Outcome,
    guesses: list[Reservation],
    before: Mapping[str, Row],
    after: Mapping[str, Row],
) -> None:
    rows = {**before, UNTOUCHED: Row(7, 3, SOON)}
    await LoginFailures.bulk_create(
        [
            {"subject": subject, "expires_at": LATER, "pending_until": LATER if row.pending else None, **row._asdict()}
            for subject, row in rows.items()
        ]
    )
    await each_stage.database.run(settle, each_stage.database, *guesses, outcome=outcome)
    found = {one.subject: one for one in await LoginFailures.query().all()}
    left = {subject: Row(one.failures, one.pending, one.blocked_until) for subject, one in found.items()}
    assert left == {**after, UNTOUCHED: rows[UNTOUCHED]}
    assert {subject: one.pending_until for subject, one in found.items()} == {
        subject: LATER if row.pending else None for subject, row in left.items()
    }


async def test_reserved_guesses_are_written_to_their_own_counters_alone(each_stage: Stage) -> None:
    before = {OWN: Row(0, 0, SOON), OTHER_OWN: Row(8, 0), ACCOUNT: Row(1, 1, SOON), UNTOUCHED: Row(7, 3, SOON)}
    await LoginFailures.bulk_create(
        [{"subject": subject, "expires_at": NOW, **row._asdict()} for subject, row in before.items()]
    )
    after = {OWN: Row(1, 1), OTHER_OWN: Row(9, 1, LATER), ACCOUNT: Row(5, 4, SOON)}
    counts = {subject: Count(row.failures, row.blocked_until, NOW, row.pending, None) for subject, row in after.items()}

    async def write() -> None:
        await write_reserved(each_stage.database, counts, pending_until=SOON, expires_at=LATER)

    await each_stage.database.run(write)
    found = {one.subject: one for one in await LoginFailures.query().all()}
    untouched = found.pop(UNTOUCHED)
    assert {subject: Row(one.failures, one.pending, one.blocked_until) for subject, one in found.items()} == after
    assert {(one.pending_until, one.expires_at) for one in found.values()} == {(SOON, LATER)}
    assert Row(untouched.failures, untouched.pending, untouched.blocked_until) == before[UNTOUCHED]
    assert (untouched.pending_until, untouched.expires_at) == (None, NOW)
