"""Blocked accounts and changed roles."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from bongsu import outbox
from bongsu.broker import Message
from bongsu.broker.memory import MemoryBroker
from bongsu.contracts.notifications import Status
from bongsu.contracts.queues import USERS_CHANGED
from bongsu.contracts.users import UserBlocked, UserRoleChanged
from bongsu.identity.models import User
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, uuid7
from bongsu.outbox.models import OutboxMessage
from bongsu.runtime.stop import StopSignal
from bongsu_notify.changed_users.handlers import UserChangeHandler
from bongsu_notify.changed_users.service import SETTLED_AFTER, ChangedUsers
from bongsu_notify.channels.registry import create_channels
from bongsu_notify.database_retry import DatabaseRetry
from bongsu_notify.notifications.models import Notification, NotificationEvent
from bongsu_notify.notifications.service import Notifications
from bongsu_notify.notifications.statuses import CLAIMABLE
from bongsu_notify.settings import NotifySettings
from bongsu_notify.templates.service import render
from tests.eventually import eventually

EMAIL = "min@example.com"


async def add_user(**facts: object) -> User:
    made: dict[str, object] = {"email_norm": EMAIL, "email_verified_at": datetime.now(UTC), "status": "blocked"}
    return await User(**(made | facts)).save()


async def add(user_id: UUID, status: Status, attempt: int = 0) -> UUID:
    made = await Notification(
        user_id=user_id,
        principal=f"user:{user_id}",
        channel="email",
        recipient="friend@example.com",
        to={"email": "friend@example.com"},
        status=status,
        attempt=attempt,
        sealed_variables="sealed",
    ).save()
    return made.id


async def statuses() -> dict[UUID, str]:
    return {row.id: row.status for row in await Notification.filter_by(template=None).all()}


async def mails() -> list[str]:
    return [row.recipient for row in await Notification.filter_by(template="account-changed").all()]


def changed_users(database: Database, vault: Vault) -> ChangedUsers:
    channels = create_channels(NotifySettings())
    return ChangedUsers(database, Notifications(database, channels, everyone_is_live=False), vault)


async def handle(
    database: Database,
    broker: MemoryBroker,
    vault: Vault,
    stop: StopSignal,
    event: UserBlocked | UserRoleChanged,
    *,
    has_row: bool = True,
) -> OutboxMessage | None:
    """Deliver the event twice, as a broker may. Returns its row if it is to be handled again.

    :param has_row: False for a dead letter that was moved back: its row was deleted.
    """
    row_id = uuid7()
    body = event.model_dump(mode="json")
    if has_row:
        await outbox.append(USERS_CHANGED, body, id=row_id)
    handler = UserChangeHandler(database, changed_users(database, vault), DatabaseRetry(stop))
    consumer = await broker.consume(USERS_CHANGED, handler, prefetch=1)
    for _ in range(2):
        await broker.publish(USERS_CHANGED, Message(id=str(row_id), body=body))
    await eventually(partial(_is_idle, broker))
    await consumer.cancel()
    return await OutboxMessage.get_or_none(row_id)


async def _is_idle(broker: MemoryBroker) -> bool:
    return await broker.depth(USERS_CHANGED) == 0


class TestBlocked:
    async def test_waiting_notifications_are_cancelled_and_others_stay(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user, other = await add_user(), await add_user(email_norm="other@example.com", status="active")
        waiting = [await add(user.id, status, attempt=3) for status in sorted(CLAIMABLE)]
        kept: tuple[Status, ...] = ("sent", "delivered", "failed")
        expected: dict[UUID, str] = {await add(user.id, status): status for status in kept}
        expected[await add(other.id, "accepted")] = "accepted"
        event = UserBlocked(user_id=user.id, at=datetime.now(UTC) - SETTLED_AFTER)
        assert await handle(each_database, broker, vault, stop, event) is None
        assert await statuses() == expected | dict.fromkeys(waiting, "cancelled")
        assert await Notification.filter_by(id__in=waiting, sealed_variables__isnull=False).count() == 0
        assert await NotificationEvent.filter_by(status="cancelled", attempt=3).count() == len(waiting)
        assert await mails() == [EMAIL]

    @pytest.mark.parametrize("has_row", [True, False], ids=["with a row", "moved back from the dead letters"])
    async def test_event_is_handled_again_when_tokens_of_the_account_may_still_work(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, has_row: bool
    ) -> None:
        database, user = each_database, await add_user()
        early = await add(user.id, "accepted")
        event = UserBlocked(user_id=user.id, at=datetime.now(UTC))
        row = await handle(database, broker, vault, stop, event, has_row=has_row)
        assert row is not None
        assert (row.queue, row.body) == (USERS_CHANGED, event.model_dump(mode="json"))
        assert row.visible_at > datetime.now(UTC) + timedelta(seconds=1)
        late = await add(user.id, "accepted")
        at = datetime.now(UTC) - SETTLED_AFTER
        assert await changed_users(database, vault).stop(user.id, event_id=row.id, blocked_at=at)
        assert await statuses() == {early: "cancelled", late: "cancelled"}
        assert await mails() == [EMAIL]

    async def test_notification_that_is_being_sent_is_cancelled_when_it_waits_again(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = await add_user()
        sending = await add(user.id, "sending")
        event = UserBlocked(user_id=user.id, at=datetime.now(UTC) - SETTLED_AFTER)
        row = await handle(database, broker, vault, stop, event)
        assert row is not None
        await Notification.filter_by(id=sending).update(status="retry_wait")
        assert await changed_users(database, vault).stop(user.id, event_id=row.id, blocked_at=event.at)
        assert await statuses() == {sending: "cancelled"}

    async def test_unknown_outcome_is_cancelled_where_it_would_be_sent_again(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = await add_user()
        again, never = await add(user.id, "unknown"), await add(user.id, "unknown")
        await Notification.filter_by(id=never).update(guarantee="at-most-once")
        event = UserBlocked(user_id=user.id, at=datetime.now(UTC) - SETTLED_AFTER)
        assert await handle(database, broker, vault, stop, event) is None
        assert await statuses() == {again: "cancelled", never: "unknown"}

    async def test_account_keeps_its_notifications_when_it_was_unblocked_meanwhile(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = await add_user(status="active")
        kept = await add(user.id, "accepted")
        assert await handle(database, broker, vault, stop, UserBlocked(user_id=user.id, at=datetime.now(UTC))) is None
        assert (await statuses(), await mails()) == ({kept: "accepted"}, [])


class TestRoleChanged:
    async def test_owner_gets_one_mail_with_the_role(
        self, each_database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal
    ) -> None:
        user = await add_user(status="active", role="manager")
        event = UserRoleChanged(user_id=user.id, role="manager", at=datetime.now(UTC))
        assert await handle(each_database, broker, vault, stop, event) is None
        assert await mails() == [EMAIL]

    @pytest.mark.parametrize(
        "facts",
        [{"role": "user", "status": "active"}, {"status": "blocked"}, {"status": "active", "email_verified_at": None}],
    )
    async def test_no_mail_is_sent_when_the_change_is_outdated_or_the_address_unproven(
        self, database: Database, broker: MemoryBroker, vault: Vault, stop: StopSignal, facts: dict[str, object]
    ) -> None:
        user = await add_user(**({"role": "manager", **facts}))
        event = UserRoleChanged(user_id=user.id, role="manager", at=datetime.now(UTC))
        assert await handle(database, broker, vault, stop, event) is None
        assert await mails() == []


class TestMail:
    @pytest.mark.parametrize("locale", ["ko", "en"])
    def test_each_event_has_a_text_of_its_own(self, locale: str) -> None:
        roles = ("user", "staff", "manager", "administrator")
        events = [{"event": "user.role_changed", "role": role} for role in roles]
        made = [render("account-changed", locale, one) for one in [{"event": "user.blocked", "role": ""}, *events]]
        assert len({mail.text for mail in made}) == len(made)
        assert all(mail.subject and mail.html and f'lang="{locale}"' in mail.html for mail in made)
