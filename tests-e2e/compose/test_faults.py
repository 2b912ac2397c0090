"""Processes are killed and data is lost under load. Nothing that was accepted may be: duplicates are counted.

A duplicate is a mail that the provider took whose result was not stored yet when the worker died: at most as many as a
worker has under way.
"""

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from harness.compose import ComposeStack, docker, paused
from harness.crowd import Submitted, duplicates_once_all_are_sent, sends, submit
from harness.people import Program, sign_up

from tests.eventually import wait_until

pytestmark = pytest.mark.timeout(600)

RecordProperty = Callable[[str, object], None]
IN_FLIGHT = 2 * 32
"""What a worker may have under way in a lane: two batches."""


@pytest.fixture
def program(composed: ComposeStack) -> Program:
    """A program of a new person."""
    return sign_up(composed).program()


def _queued(composed: ComposeStack) -> int:
    """The messages in the worker's queues: ready, or delivered to a worker that has not settled them."""
    listed = composed.compose("exec", "-T", "rabbitmq", "rabbitmqctl", "-q", "list_queues", "name", "messages")
    rows = [line.split("\t") for line in listed.splitlines()]
    return sum(int(row[1]) for row in rows if row[0].startswith("notify.deliver.") and row[1].isdigit())


def _are_sent(program: Program, addresses: list[str], count: int) -> bool:
    return len(sends(program, addresses)) >= count


def _report(record_property: RecordProperty, duplicates: int, of: Submitted) -> None:
    record_property("duplicates", duplicates)
    print(f"\n{duplicates} duplicates of {len(of.accepted)}; refused: {dict(of.refused)}")  # noqa: T201 - a result


class TestWorkerKilled:
    def test_200_queued_notifications_all_arrive(
        self, composed: ComposeStack, program: Program, record_property: RecordProperty
    ) -> None:
        addresses = [f"worker-killed-{number}@example.com" for number in range(200)]
        (worker,) = composed.containers("notify-worker")
        restarts = composed.inspect(worker)["RestartCount"]
        with composed.ready_to_kill(worker) as kill:
            with paused(worker):
                submitted = submit(program, addresses)
                assert len(submitted.accepted) == 200
                wait_until(lambda: _queued(composed) >= 200, 30, "200 are queued")
            wait_until(lambda: sends(program, addresses).total() >= 1, 30, "some are sent")
            kill()
        assert sends(program, addresses).total() < 200, "it was killed too late: everything was sent"
        duplicates = duplicates_once_all_are_sent(program, submitted, limit_s=180)
        _report(record_property, duplicates, submitted)
        assert duplicates <= IN_FLIGHT
        assert composed.inspect(worker)["RestartCount"] == restarts + 1


class TestWorkersScaled:
    def test_accepted_notifications_arrive_while_workers_come_and_go(
        self, composed: ComposeStack, program: Program, record_property: RecordProperty
    ) -> None:
        addresses = [f"workers-scaled-{number}@example.com" for number in range(5_000)]
        outcome: list[Submitted] = []
        scaled = threading.Event()
        until_scaled = itertools.takewhile(lambda _: not scaled.is_set(), addresses)
        load = threading.Thread(
            target=lambda: outcome.append(submit(program, until_scaled, threads=3, pause_s=0.1)), name="load"
        )
        load.start()
        try:
            for workers, sent in ((4, 10), (1, 100)):
                wait_until(partial(_are_sent, program, addresses, sent), 120, f"{sent} are sent")
                composed.scale(notify_worker=workers)
        finally:
            scaled.set()
            load.join()
        assert not outcome[0].refused
        duplicates = duplicates_once_all_are_sent(program, outcome[0], limit_s=180)
        _report(record_property, duplicates, outcome[0])
        assert duplicates <= 3 * IN_FLIGHT, "three workers were stopped"


class TestBrokerKilled:
    def test_for_20_s_every_post_is_still_accepted_and_arrives(
        self, composed: ComposeStack, program: Program, record_property: RecordProperty
    ) -> None:
        addresses = [f"broker-killed-{number}@example.com" for number in range(300)]
        outcome: list[Submitted] = []
        load = threading.Thread(
            target=lambda: outcome.append(submit(program, addresses, threads=3, pause_s=0.25)), name="load"
        )
        load.start()
        wait_until(lambda: len(sends(program, addresses)) >= 10, 30, "the load flows")
        composed.compose("kill", "rabbitmq")
        time.sleep(20)  # the outage itself
        composed.compose("start", "rabbitmq")
        load.join()
        assert not outcome[0].refused
        assert len(outcome[0].accepted) == len(addresses)
        duplicates = duplicates_once_all_are_sent(program, outcome[0], limit_s=240)
        _report(record_property, duplicates, outcome[0])
        assert duplicates <= IN_FLIGHT


class TestBrokerWiped:
    def test_100_queued_notifications_all_arrive(
        self, composed: ComposeStack, program: Program, record_property: RecordProperty
    ) -> None:
        addresses = [f"broker-wiped-{number}@example.com" for number in range(100)]
        (worker,) = composed.containers("notify-worker")
        with paused(worker):
            submitted = submit(program, addresses)
            assert len(submitted.accepted) == 100
            wait_until(lambda: _queued(composed) >= 100, 30, "100 are queued")
            composed.compose("rm", "--stop", "--force", "rabbitmq")
            docker("volume", "rm", f"{composed.project}_rabbitmq")
            composed.compose("up", "--detach", "--wait", "--no-build", "rabbitmq")
        duplicates = duplicates_once_all_are_sent(program, submitted, limit_s=240)
        _report(record_property, duplicates, submitted)
        assert duplicates <= IN_FLIGHT


class TestDatabaseRestarted:
    def test_accepted_notifications_arrive_when_the_database_restarts(
        self, composed: ComposeStack, program: Program, record_property: RecordProperty
    ) -> None:
        addresses = [f"database-restarted-{number}@example.com" for number in range(200)]
        outcome: list[Submitted] = []
        load = threading.Thread(
            target=lambda: outcome.append(submit(program, addresses, threads=3, pause_s=0.2)), name="load"
        )
        load.start()
        wait_until(lambda: len(sends(program, addresses)) >= 10, 30, "the load flows")
        composed.compose("restart", "--timeout", "30", "mysql")
        load.join()
        # Without its database an API refuses, clearly: it has accepted nothing.
        assert set(outcome[0].refused) <= {503, 401}
        assert len(outcome[0].accepted) >= 20
        duplicates = duplicates_once_all_are_sent(program, outcome[0], limit_s=240)
        _report(record_property, duplicates, outcome[0])
        assert duplicates <= IN_FLIGHT


class TestServiceKilled:
    @pytest.mark.parametrize("service", ["auth", "notify", "relay"])
    def test_killed_service_is_restarted(self, composed: ComposeStack, service: str) -> None:
        (container,) = composed.containers(service)
        composed.kill(container)
        wait_until(lambda: composed.inspect(container)["RestartCount"] >= 1, 30, f"{service} is started again")
        wait_until(
            lambda: composed.inspect(container)["State"]["Health"]["Status"] == "healthy", 60, f"{service} is healthy"
        )
        someone = sign_up(composed).program()
        submitted = submit(someone, [f"after-{service}@example.com"])
        assert duplicates_once_all_are_sent(someone, submitted, limit_s=60) == 0
