"""Five minutes of faults in an order that a seed decides, while 5,000 notifications flow: `make e2e-chaos SEED=7`.

Nothing that was accepted may be lost, and every notification ends. A duplicate is a mail that the provider took whose
result was not stored yet when its worker was killed: at most as many as the killed workers had under way.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from harness.compose import ComposeStack, docker, paused
from harness.crowd import Submitted, duplicates_once_all_are_listed, submit
from harness.people import sign_up

from tests.eventually import wait_until

pytestmark = pytest.mark.timeout(1800)

NOTIFICATIONS = 5_000
FAULTS_S = 300.0
PAUSES_S = (4.0, 12.0)
"""Between two faults, at least and at most."""
REPLICAS = {"notify": 2, "notify_worker": 2, "relay": 2}
SLOTS = 128
"""The calls that a worker has under way at most."""

Fault = Callable[[ComposeStack, random.Random], None]


def _kill(service: str) -> Fault:
    def kill(composed: ComposeStack, chance: random.Random) -> None:
        composed.kill(chance.choice(composed.containers(service)))

    return kill


def _restart(service: str) -> Fault:
    def restart(composed: ComposeStack, chance: random.Random) -> None:
        docker("restart", "--time=10", chance.choice(composed.containers(service)))

    return restart


def _pause(service: str) -> Fault:
    def pause(composed: ComposeStack, chance: random.Random) -> None:
        with paused(chance.choice(composed.containers(service))):
            time.sleep(chance.uniform(2.0, 8.0))  # the outage itself

    return pause


def _close_connections(composed: ComposeStack, _chance: random.Random) -> None:
    composed.compose("exec", "-T", "rabbitmq", "rabbitmqctl", "-q", "close_all_connections", "a test")


def _kill_broker(composed: ComposeStack, chance: random.Random) -> None:
    composed.compose("kill", "rabbitmq")
    time.sleep(chance.uniform(1.0, 8.0))  # the outage itself
    composed.compose("start", "rabbitmq")


FAULTS: Mapping[str, Fault] = {
    "kill a worker": _kill("notify-worker"),
    "kill an API": _kill("notify"),
    "kill a relay": _kill("relay"),
    "restart a worker": _restart("notify-worker"),
    "restart the database": _restart("mysql"),
    "restart the broker": _restart("rabbitmq"),
    "kill the broker": _kill_broker,
    "close the broker's connections": _close_connections,
    "pause a worker": _pause("notify-worker"),
    "pause the database": _pause("mysql"),
}


class TestChaos:
    def test_every_accepted_notification_ends_and_none_is_lost(
        self, composed: ComposeStack, chaos_seed: int, record_property: Callable[[str, object], None]
    ) -> None:
        chance, done = random.Random(chaos_seed), Counter[str]()  # noqa: S311 - faults that can be repeated, not a secret
        composed.scale(**REPLICAS)
        program = sign_up(composed).program()
        addresses = [f"chaos-{chaos_seed}-{number}@example.com" for number in range(NOTIFICATIONS)]
        outcome: list[Submitted] = []
        threads = 8
        pause_s = threads * FAULTS_S / NOTIFICATIONS
        load = threading.Thread(
            target=lambda: outcome.append(submit(program, addresses, threads=threads, pause_s=pause_s)), name="load"
        )
        load.start()
        ends_at = time.monotonic() + FAULTS_S
        # The pauses lie between faults, in which the load flows; nothing is polled.
        while time.monotonic() < ends_at:
            time.sleep(chance.uniform(*PAUSES_S))
            name = chance.choice(sorted(FAULTS))
            FAULTS[name](composed, chance)
            done[name] += 1
            for service in REPLICAS:
                running = service.replace("_", "-")
                wait_until(lambda running=running: composed.containers(running), 60, f"one {running} runs")  # type: ignore[misc]  # mypy infers no type of a lambda with a default
        load.join()
        (submitted,) = outcome
        duplicates = duplicates_once_all_are_listed(program, submitted, limit_s=420)
        composed.scale(**dict.fromkeys(REPLICAS, 1))
        record_property("duplicates", duplicates)
        print(f"\nseed {chaos_seed}: {dict(done)}")  # noqa: T201 - a result
        print(f"{duplicates} duplicates of {len(submitted.accepted)}; refused: {dict(submitted.refused)}")  # noqa: T201 - the same
        deaths = done["kill a worker"] + done["restart a worker"] + done["pause a worker"]
        assert len(submitted.accepted) > NOTIFICATIONS / 2
        assert duplicates <= SLOTS * deaths
