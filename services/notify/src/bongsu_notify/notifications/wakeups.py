"""Wake-ups: the messages that have the worker look at a notification."""

from datetime import datetime
from uuid import UUID

from bongsu.contracts.jobs import DeliveryWakeup
from bongsu.contracts.queues import DELIVER, LANES, Priority
from bongsu.outbox import NewMessage


def wake_up(notification_id: UUID, channel: str, priority: Priority, at: datetime | None = None) -> NewMessage:
    """The wake-up of a notification, in the queue of its channel and lane.

    :param at: as in `NewMessage`.
    """
    # A notification of a newer release, after a rollback, may have a channel that has no queue here.
    queue = DELIVER.get(channel, DELIVER["email"])[priority]
    return NewMessage(
        queue, DeliveryWakeup(notification_id=notification_id).model_dump(mode="json"), LANES[priority], at
    )
