"""The outcome of notifications while the provider fails."""

from collections.abc import Iterator

import pytest
from harness.people import Program, email, new_address, sign_up
from harness.stack import EmbeddedStack, items

from tests.eventually import wait_until


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A sender on a stack of this module's own, because its tests break the provider."""
    with EmbeddedStack(tmp_path_factory.mktemp("faults")) as stack:
        yield sign_up(stack).program()


@pytest.fixture(autouse=True)
def no_fault_is_left(program: Program) -> Iterator[None]:
    yield
    program.client.delete("/sandbox/faults").raise_for_status()


def set_fault(program: Program, kind: str, **fields: object) -> None:
    answer = program.client.post("/sandbox/faults", json={"target": "ses", "kind": kind, **fields})
    assert answer.status_code == 201, answer.text


def hits(program: Program) -> int:
    return sum(fault["hits"] for fault in items(program.client, "/sandbox/faults"))


class TestLostAnswer:
    @pytest.mark.parametrize("kind", ["accept_then_reset", "accept_then_hang"])
    def test_at_most_once_is_never_sent_again_when_the_answer_is_lost(self, program: Program, kind: str) -> None:
        set_fault(program, kind)
        to = new_address()
        made = program.accepted(email(to, guarantee="at-most-once"))
        found = program.when(made["id"], "failed", limit_s=60)
        assert "outcome_unknown" in str(found["error"])
        assert len(items(program.client, "/sandbox/mailbox", to=to)) == 1

    def test_at_least_once_is_unknown_when_the_answer_is_lost(self, program: Program) -> None:
        set_fault(program, "accept_then_reset")
        made = program.accepted(email(new_address()))
        program.when(made["id"], "unknown")


class TestRefusedAnswer:
    @pytest.mark.parametrize("kind", ["throttle", "unavailable", "reset"])
    def test_notification_is_sent_when_the_provider_recovers(self, program: Program, kind: str) -> None:
        set_fault(program, kind)
        to = new_address()
        made = program.accepted(email(to))
        wait_until(lambda: hits(program) >= 1, 10, "the provider refuses")
        assert items(program.client, "/sandbox/mailbox", to=to) == []
        program.client.delete("/sandbox/faults").raise_for_status()
        program.when(made["id"], "sent", "unknown", limit_s=60)

    def test_throttling_spends_no_attempt(self, program: Program) -> None:
        set_fault(program, "throttle")
        made = program.accepted(email(new_address()))
        wait_until(lambda: hits(program) >= 3, 20, "it is throttled three times")
        program.client.delete("/sandbox/faults").raise_for_status()
        assert program.when(made["id"], "sent", limit_s=60)["attempt"] == 1

    def test_notification_fails_with_the_reason_when_the_provider_rejects_the_message(self, program: Program) -> None:
        set_fault(program, "error", detail="MessageRejected")
        made = program.accepted(email(new_address()))
        found = program.when(made["id"], "failed")
        assert found["error"]["code"]
