"""Many concurrent notifications, and their outcomes."""

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import httpx

from harness.people import Program, email
from harness.stack import items
from tests.eventually import wait_until

LEASE_S = 60  # NOTIFY_LEASE_S
_FINAL = {"sent", "delivered", "bounced", "complained", "failed", "suppressed", "cancelled", "expired"}

_OPEN = ("accepted", "queued", "sending", "retry_wait", "unknown")


@dataclass
class Submitted:
    """The responses to many submissions."""

    accepted: dict[str, str] = field(default_factory=dict)
    """The IDs of the accepted notifications by address."""
    refused: Counter[int | str] = field(default_factory=Counter)
    """The number of other responses by status or name of the error."""


def submit(program: Program, addresses: Iterable[str], *, threads: int = 6, pause_s: float = 0.0) -> Submitted:
    """Submit a notification to each address over several connections, each pausing between two."""
    outcome = Submitted()
    remaining = iter(addresses)
    lock = threading.Lock()

    def work() -> None:
        # The pause spreads the load; nothing is polled.
        while True:
            with lock:
                to = next(remaining, None)
            if to is None:
                return
            try:
                answer = program.notify(email(to, "기다리는 알림 🔥"))
            except httpx.TransportError as error:
                with lock:
                    outcome.refused[type(error).__name__] += 1
            else:
                with lock:
                    if answer.status_code == 202:
                        outcome.accepted[to] = answer.json()["id"]
                    else:
                        outcome.refused[answer.status_code] += 1
            time.sleep(pause_s)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return outcome


def sends(program: Program, addresses: Iterable[str]) -> Counter[str]:
    """The number of sends to each address, as the provider counts them."""
    wanted = set(addresses)
    return Counter(to for entry in items(program.client, "/sandbox/ledger") for to in entry["to"] if to in wanted)


def duplicates_once_all_are_sent(program: Program, submitted: Submitted, *, limit_s: float) -> int:
    """Wait until each accepted notification is sent and has a final status. Returns the number of duplicates.

    :raises AssertionError: some are missing when the time is up.
    """
    wanted = submitted.accepted

    def all_are_sent() -> bool:
        missing = sorted(set(wanted) - set(sends(program, wanted)))
        assert not missing, f"{len(missing)} of {len(wanted)} are not sent: {missing[:5]}"
        return True

    wait_until(all_are_sent, limit_s, "all notifications are sent")
    for notification_id in wanted.values():
        # What a killed worker held is sent again after its lease, which may have begun at this moment.
        wait_until(partial(_is_final, program, notification_id), 2 * LEASE_S, f"{notification_id} ends")
    return sends(program, wanted).total() - len(wanted)


def duplicates_once_all_are_listed(program: Program, submitted: Submitted, *, limit_s: float) -> int:
    """As `duplicates_once_all_are_sent`, by lists: for thousands of notifications of a new person.

    :raises AssertionError: some are missing, or have no final status, when the time is up.
    """
    wanted = submitted.accepted

    def none_is_open() -> bool:
        query = "&".join(f"status={status}" for status in _OPEN)
        answer = program.get(f"/v1/notifications?limit=1&{query}")
        answer.raise_for_status()
        assert not answer.json()["items"], f"not ended: {answer.json()['items'][0]}"
        return True

    wait_until(none_is_open, limit_s, "all notifications have ended", ignoring=(httpx.HTTPError,))
    sent = sends(program, wanted)
    missing = sorted(set(wanted) - set(sent))
    assert not missing, f"{len(missing)} of {len(wanted)} are lost: {missing[:5]}"
    return sent.total() - len(wanted)


def _is_final(program: Program, notification_id: str) -> bool:
    answer = program.get(f"/v1/notifications/{notification_id}")
    answer.raise_for_status()
    return bool(answer.json()["status"] in _FINAL)
