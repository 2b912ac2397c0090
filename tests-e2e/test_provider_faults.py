"""The outcome of notifications while the provider fails."""

from collections.abc import Iterator
from typing import Any

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


def event(program: Program, notification: dict[str, Any], kind: str, subtype: str | None = None) -> None:
    """Have SES publish an event about a sent notification."""
    wanted = {"message_id": notification["provider_message_id"], "type": kind, "subtype": subtype}
    answer = program.client.post("/sandbox/ses/events", json=wanted)
    assert answer.status_code == 202, answer.text


class TestLostAnswer:
    @pytest.mark.parametrize("kind", ["accept_then_reset", "accept_then_hang"])
    def test_mail_is_sent_once_when_the_answer_is_lost_and_its_send_event_comes(
        self, program: Program, kind: str
    ) -> None:
        set_fault(program, kind)
        made = {}
        for guarantee in ("at-most-once", "at-least-once"):
            to = new_address()
            made[to] = program.accepted(email(to, guarantee=guarantee))
        for to, notification in made.items():
            found = program.when(notification["id"], "sent", limit_s=60)
            assert found["provider_message_id"]
            assert len(items(program.client, "/sandbox/mailbox", to=to)) == 1

    def test_outcome_is_unknown_when_no_event_comes(self, program: Program) -> None:
        program.client.put("/sandbox/ses/events/settings", json={"send": False}).raise_for_status()
        try:
            set_fault(program, "accept_then_reset")
            to = new_address()
            made = program.accepted(email(to, guarantee="at-most-once"))
            program.when(made["id"], "unknown")
        finally:
            program.client.put("/sandbox/ses/events/settings", json={"send": True}).raise_for_status()
        (mail,) = items(program.client, "/sandbox/mailbox", to=to)
        event(program, {"provider_message_id": mail["id"]}, "send")
        program.when(made["id"], "sent")


class TestEvents:
    def test_outcomes_of_the_mailbox_simulator(self, program: Program) -> None:
        bounced = program.accepted(email("bounce@simulator.amazonses.com"))
        complained = program.accepted(email("complaint@simulator.amazonses.com"))
        listed = program.accepted(email("suppressionlist@simulator.amazonses.com"))
        delivered = program.accepted(email("success@simulator.amazonses.com"))
        program.when(bounced["id"], "bounced")
        program.when(complained["id"], "complained")
        found = program.when(listed["id"], "bounced")
        assert "OnAccountSuppressionList" in found["error"]["detail"]
        program.when(delivered["id"], "delivered")
        again = program.accepted(email("bounce@simulator.amazonses.com"))
        program.when(again["id"], "suppressed")

    def test_events_move_a_sent_notification_on(self, program: Program) -> None:
        made = program.accepted(email(new_address()))
        sent = program.when(made["id"], "sent")
        event(program, sent, "delivery_delay")
        event(program, sent, "delivery")
        event(program, sent, "delivery")
        program.when(made["id"], "delivered")
        event(program, sent, "bounce", "MailboxFull")
        found = program.when(made["id"], "bounced")
        statuses = [step["status"] for step in found["timeline"]]
        assert statuses[-4:] == ["sent", "sent", "delivered", "bounced"]
        rejected = program.when(program.accepted(email(new_address()))["id"], "sent")
        event(program, rejected, "reject")
        program.when(rejected["id"], "failed")


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
