"""A Discord message, rendered from a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bongsu_notify.channels.port import Outgoing
from bongsu_notify.notifications.claimed import Deliverable

GUILD: Final = "guild"
SUBSCRIPTION: Final = "subscription"
"""The kinds of authority that a row's `sender` names, before a colon and an ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordMessage(Outgoing):
    """A message. Exactly one of `channel_id`, `to_user_id` and `topic` is its recipient.

    :param unchecked_user_id: the user whose authority over the channel the bot has to check.
    :param subscription_id: the subscription by which it is posted, and which must still stand.
    :param guild_id: of the channel, where it was checked.
    :param row: of the notification.
    """

    channel_id: int | None
    to_user_id: UUID | None
    topic: str | None
    unchecked_user_id: UUID | None
    subscription_id: UUID | None
    guild_id: int | None
    content: Mapping[str, object]
    row: Deliverable
