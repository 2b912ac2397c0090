"""Deleted accounts."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from bongsu import outbox
from bongsu.broker import Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.notifications import Status
from bongsu.contracts.queues import USERS_DELETED
from bongsu.contracts.users import UserDeleted, email_context
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.outbox.models import OutboxMessage
from bongsu.outbox.relay import Relay
from bongsu.runtime.stop import StopSignal
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.deleted_users.handlers import UserDeletedHandler
from bongsu_notify.deleted_users.service import KEPT_FOR, DeletedUsers
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.subscriptions.models import Subscription
from tests.eventually import eventually

EMAIL = "gone@example.com"


async def add(user_id: UUID | None, status: Status = "delivered", *, to: str = "friend@example.com") -> UUID:
    """Add a notification of a user, or of the system."""
    principal = f"user:{user_id}" if user_id is not None else "system"
    made = await Notification(
        user_id=user_id, principal=principal, channel="email", recipient=to, to={"email": to}, status=status
    ).save()
    await NotificationEvent.create(notification_id=made.id, status=status)
    return made.id


async def left() -> set[UUID]:
    return set(await Notification.query().pluck("id"))


async def publish(vault: Vault, user_id: UUID, *, deleted_at: datetime, email: str | None = EMAIL) -> None:
    sealed = vault.seal(email, aad=email_context(user_id)) if email is not None else None
    event = UserDeleted(user_id=user_id, sealed_email=sealed, at=deleted_at)
    await outbox.append(USERS_DELETED, event.model_dump(mode="json"))


async def handle(database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal) -> OutboxMessage | None:
    """Handle the event. Returns its row if it is to be handled again."""
    handler = UserDeletedHandler(database, vault, DeletedUsers(database), DatabaseRetry(stop))
    consumer = await broker.consume(USERS_DELETED, handler, prefetch=1)

    async def is_handled() -> bool:
        row = await OutboxMessage.filter_by(queue=USERS_DELETED).first()
        return row is None or row.visible_at > datetime.now(UTC) + timedelta(seconds=30)

    async with Relay(database, broker).run():
        await eventually(is_handled)
    await consumer.cancel()
    return await OutboxMessage.filter_by(queue=USERS_DELETED).first()


async def _is_idle(broker: MemoryBroker) -> bool:
    return await broker.depth(USERS_DELETED) == 0


class TestUserDeleted:
    async def test_notifications_of_the_user_are_deleted_and_those_of_others_stay(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user, other = uuid4(), uuid4()
        statuses: tuple[Status, ...] = ("delivered", "failed", "accepted", "queued", "retry_wait", "sent")
        for status in statuses:
            await add(user, status)
        kept = {await add(other), await add(None), await add(other, to=EMAIL)}
        await add(None, to=EMAIL)  # deleted, too
        await publish(vault, user, deleted_at=datetime.now(UTC) - KEPT_FOR)
        assert await handle(each_database, broker, vault, stop) is None
        assert await left() == kept
        assert await NotificationEvent.row_count() == await Notification.row_count()

    async def test_subscriptions_to_topics_of_the_user_are_deleted(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user, other = uuid4(), uuid4()
        for owner in (user, other):
            await Subscription.create(
                owner_id=owner,
                topic="news",
                guild_id=1,
                guild_name="Guild",
                channel_id=2,
                channel_name="general",
                created_by=other,
            )
        await publish(vault, user, deleted_at=datetime.now(UTC) - KEPT_FOR, email=None)
        assert await handle(database, broker, vault, stop) is None
        assert await Subscription.query().pluck("owner_id") == [other]

    async def test_mails_of_the_system_to_the_address_are_deleted_later(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user, mail = uuid4(), await add(None, to=EMAIL)
        await add(user)
        await publish(vault, user, deleted_at=datetime.now(UTC))
        assert await handle(database, broker, vault, stop) is not None
        assert await left() == {mail}
        service = DeletedUsers(database)
        now = datetime.now(UTC)
        assert await service.purge(user, EMAIL, deleted_at=now, now=now + KEPT_FOR)
        assert await left() == set()

    async def test_notification_in_a_call_of_the_provider_is_deleted_when_it_has_ended(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = uuid4()
        sending = await add(user, "sending")
        deleted_at = datetime.now(UTC) - KEPT_FOR
        await publish(vault, user, deleted_at=deleted_at, email=None)
        assert await handle(database, broker, vault, stop) is not None
        assert await left() == {sending}
        await Notification.filter_by(id=sending).update(status="sent")
        assert await DeletedUsers(database).purge(user, None, deleted_at=deleted_at, now=datetime.now(UTC))
        assert await left() == set()

    @pytest.mark.parametrize("email", [EMAIL, None], ids=["with an address", "without an address"])
    async def test_notification_that_was_accepted_after_the_deletion_is_deleted_later(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, email: str | None
    ) -> None:
        """Another process learns of the revocation seconds later."""
        user, deleted_at = uuid4(), datetime.now(UTC)
        await publish(vault, user, deleted_at=deleted_at, email=email)
        assert await handle(database, broker, vault, stop) is not None
        await add(user)
        assert await DeletedUsers(database).purge(user, email, deleted_at=deleted_at, now=deleted_at + KEPT_FOR)
        assert await left() == set()

    async def test_event_without_a_row_is_handled_again_when_notifications_are_left(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        """A dead letter that was moved back: its row was deleted."""
        user, row_id = uuid4(), uuid4()
        await add(user, "sending")
        body = UserDeleted(user_id=user, sealed_email=None, at=datetime.now(UTC) - KEPT_FOR).model_dump(mode="json")
        handler = UserDeletedHandler(each_database, vault, DeletedUsers(each_database), DatabaseRetry(stop))
        consumer = await broker.consume(USERS_DELETED, handler, prefetch=1)
        await broker.publish(USERS_DELETED, Message(id=str(row_id), body=body))
        await eventually(partial(_is_idle, broker))
        await consumer.cancel()
        row = await OutboxMessage.get(row_id)
        assert (row.queue, row.body) == (USERS_DELETED, body)
        assert row.visible_at > datetime.now(UTC) + timedelta(seconds=30)

    async def test_event_with_a_foreign_seal_is_dead_lettered(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = uuid4()
        kept = await add(user)
        await publish(Vault.parse(Vault.new_key()), user, deleted_at=datetime.now(UTC))
        assert await handle(database, broker, vault, stop) is None
        assert await left() == {kept}
