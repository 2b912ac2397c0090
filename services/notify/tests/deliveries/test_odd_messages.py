"""A fault of one message does not affect its batch: the others are sent once, and recorded."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from bongsu.broker.memory import MemoryBroker
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.stop import StopSignal
from bongsu_notify.channels.channel import Content
from bongsu_notify.channels.email.channel import EmailChannel, EmailMessage
from bongsu_notify.channels.port import Outcome, Provider, Refused, Sent
from bongsu_notify.deliveries.handlers import DeliveryHandler
from bongsu_notify.deliveries.service import Claims, Deliveries, MarkResult
from bongsu_notify.notifications.models import Notification, NotificationEvent
from services.notify.tests.conftest import RememberingProvider
from services.notify.tests.deliveries.delivering import WakeUp, accept, deliver, make_handler
from tests.eventually import eventually

ODD = "odd"


class _Answering(RememberingProvider):
    """Returns `answer` for the odd message and a success for the others."""

    def __init__(self, answer: Outcome) -> None:
        super().__init__()
        self._answer = answer

    async def send_one(self, message: EmailMessage) -> Outcome:
        outcome = await super().send_one(message)
        return self._answer if message.subject == ODD else outcome


class _Raising(RememberingProvider):
    async def send_one(self, message: EmailMessage) -> Outcome:
        await super().send_one(message)
        raise KeyError("defect")


@dataclass
class Worker:
    """Delivers twenty notifications, one of them odd."""

    database: Database
    broker: MemoryBroker
    vault: Vault
    stop: StopSignal

    def handler(self, provider: Provider[Any], deliveries: Deliveries | None = None) -> DeliveryHandler:
        return make_handler(self.database, self.vault, self.stop, provider, deliveries=deliveries)

    async def deliver(
        self, by: RememberingProvider, *, until: str, deliveries: Deliveries | None = None, **odd_values: object
    ) -> Notification:
        """Return the odd notification once it has the status and each other was sent once."""
        values: dict[str, Any] = {"subject": ODD} | odd_values
        ones = [await accept(self.database, **(values if at == 3 else {})) for at in range(20)]
        odd = ones.pop(3)

        async def done() -> bool:
            sent = await Notification.filter_by(id__in=[one.id for one in ones], status="sent").count()
            return sent == len(ones) and await Notification.filter_by(id=odd.id, status=until).exists()

        await deliver(self.broker, self.database, self.handler(by, deliveries), until=done)
        received = [message.notification_id for message in by.sent if message.subject != ODD]
        assert sorted(received) == sorted(one.id for one in ones)
        return await Notification.get(odd.id)


class _Claiming(Deliveries):
    """Raises the failures, then refuses the claims that `refuse` names; `tried` has the size of each."""

    def __init__(
        self,
        *,
        refuse: Callable[[Claims], bool] = lambda _claims: False,
        failures: Sequence[Exception] = (),
    ) -> None:
        super().__init__(lease_s=60, max_attempts=8)
        self._refuse, self._failures = refuse, [*failures]
        self.tried: list[int] = []

    async def claim(self, ids: Sequence[UUID], *, owner: UUID | None = None, earlier: Collection[UUID] = ()) -> Claims:
        self.tried.append(len(ids))
        if self._failures:
            raise self._failures.pop()
        claims = await super().claim(ids, owner=owner, earlier=earlier)
        if self._refuse(claims):
            raise ValueError("this row cannot be read")
        return claims


class _NotMarkingOdd(Deliveries):
    async def mark(self, claims: Claims, outcomes: Mapping[UUID, Outcome]) -> MarkResult:
        if any(row.subject == ODD for row in claims.claimed):
            raise ValueError("this row cannot be written")
        return await super().mark(claims, outcomes)


async def _handle(handler: DeliveryHandler, wake_ups: Sequence[WakeUp]) -> None:
    """Handle wake-ups until each is settled."""
    await handler(wake_ups)
    await eventually(lambda: all(one.settled for one in wake_ups))
    await handler.close()


@pytest.fixture
def worker(each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal) -> Worker:
    return Worker(each_database, broker, vault, stop)


class TestOddMessages:
    async def test_batch_is_sent_when_the_channel_of_one_is_unknown(
        self, worker: Worker, provider: RememberingProvider
    ) -> None:
        odd = await worker.deliver(provider, until="retry_wait", channel="pigeon")
        assert (odd.error_code, odd.attempt) == ("channel_unknown", 1)

    async def test_batch_is_sent_when_rendering_of_one_raises(
        self, worker: Worker, provider: RememberingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = EmailChannel.render

        def render(self: EmailChannel, row: Notification, content: Content, vault: Vault) -> EmailMessage | Refused:
            if row.subject == ODD:
                raise ZeroDivisionError
            return real(self, row, content, vault)

        monkeypatch.setattr(EmailChannel, "render", render)
        odd = await worker.deliver(provider, until="retry_wait")
        assert (odd.error_code, odd.error_detail) == ("render_failed", "ZeroDivisionError")

    @pytest.mark.parametrize(("message_id", "stored"), [("mé\ud800\0 ", "m????"), ("한" * 300, "?" * 128), ("", None)])
    async def test_message_id_is_cleaned_when_the_column_cannot_hold_it(
        self, worker: Worker, message_id: str, stored: str | None
    ) -> None:
        odd = await worker.deliver(_Answering(Sent(message_id, detail="\ud800 taken\0")), until="sent")
        assert odd.provider_message_id == stored
        assert await NotificationEvent.filter_by(notification_id=odd.id, detail="? taken").exists()

    async def test_detail_is_cleaned_when_the_column_cannot_hold_it(self, worker: Worker) -> None:
        odd = await worker.deliver(_Answering(Refused("provider_refused", "\ud800\0" + "길" * 600)), until="failed")
        assert odd.error_detail == "?" + "길" * 499

    async def test_batch_is_claimed_without_one_that_cannot_be(
        self, worker: Worker, provider: RememberingProvider
    ) -> None:
        deliveries = _Claiming(refuse=lambda claims: any(one.subject == ODD for one in claims.claimed))
        ones = [await accept(worker.database, **({"subject": ODD} if at == 3 else {})) for at in range(20)]
        wake_ups = [WakeUp(one) for one in ones]
        await _handle(worker.handler(provider, deliveries), wake_ups)
        assert [one.outcome for one in wake_ups] == ["requeued" if at == 3 else "done" for at in range(20)]
        assert sorted(message.notification_id for message in provider.sent) == sorted(
            one.id for one in ones if one.subject != ODD
        )
        assert await Notification.filter_by(status="sent", attempt=1).count() == 19
        odd = await Notification.get(ones[3].id)
        assert (odd.status, odd.attempt, odd.lease_owner) == ("accepted", 0, None)
        assert deliveries.tried[:2] == [20, 10]
        assert deliveries.tried.count(1) <= 4

    async def test_wake_ups_are_updated_when_the_batch_is_claimed_one_by_one(
        self, worker: Worker, provider: RememberingProvider
    ) -> None:
        deliveries = _Claiming(refuse=lambda claims: any(one.subject == ODD for one in claims.claimed))
        odd = await accept(worker.database, subject=ODD)
        ended = await accept(worker.database, status="cancelled")
        waits = await accept(worker.database, status="retry_wait", next_attempt_at=utc_now(3600))
        rows = await OutboxMessage.filter_by().all()
        wake_ups = {
            one.id: WakeUp(one, next(row.id for row in rows if row.body["notification_id"] == str(one.id)))
            for one in (odd, ended, waits)
        }
        await _handle(worker.handler(provider, deliveries), [*wake_ups.values()])
        assert [one.outcome for one in wake_ups.values()] == ["requeued", "done", "done"]
        left = {row.body["notification_id"]: row for row in await OutboxMessage.filter_by().all()}
        assert left.keys() == {str(odd.id), str(waits.id)}
        assert await OutboxMessage.filter_by(visible_at__gt=utc_now(3000)).count() == 1
        assert provider.sent == []

    async def test_each_is_sent_once_when_the_database_is_unavailable_at_the_claim(
        self, worker: Worker, provider: RememberingProvider
    ) -> None:
        failures = [ConnectionResetError(), OperationalError("UPDATE", {}, Exception("gone away"))]
        deliveries = _Claiming(failures=failures)
        wake_ups = [WakeUp(await accept(worker.database)) for _ in range(5)]
        await _handle(worker.handler(provider, deliveries), wake_ups)
        assert [one.outcome for one in wake_ups] == ["done"] * 5
        assert len({message.notification_id for message in provider.sent}) == len(provider.sent) == 5

    async def test_batch_is_marked_one_by_one_when_the_batch_mark_fails(
        self, worker: Worker, provider: RememberingProvider
    ) -> None:
        odd = await worker.deliver(provider, until="sending", deliveries=_NotMarkingOdd(lease_s=60, max_attempts=8))
        assert odd.lease_owner is not None

    async def test_outcomes_are_unknown_when_the_provider_raises(self, worker: Worker) -> None:
        provider = _Raising()
        for _ in range(3):
            await accept(worker.database)

        async def all_are_unknown() -> bool:
            return await Notification.filter_by(status="unknown").count() == 3

        await deliver(worker.broker, worker.database, worker.handler(provider), until=all_are_unknown)
        assert len(provider.sent) == 3
