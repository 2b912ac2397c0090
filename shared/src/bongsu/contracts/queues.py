"""Names on the broker, shared by publishers and consumers. A rename is a breaking change."""

from typing import Final, Literal

Priority = Literal["high", "normal", "bulk"]

NOTIFY_JOBS: Final = "notify.jobs"
"""Requests of other services for notifications (`NotificationJob`)."""

USERS_DELETED: Final = "notify.users.deleted"
"""Deleted accounts, whose data notify deletes (`contracts.users.UserDeleted`)."""

DELIVER: Final[dict[Priority, str]] = {
    "high": "notify.deliver.high",
    "normal": "notify.deliver.normal",
    "bulk": "notify.deliver.bulk",
}
"""Wake-ups for the worker (`DeliveryWakeup`), a queue a lane."""

LANES: Final[dict[Priority, int]] = {"high": 0, "normal": 1, "bulk": 2}
"""The order in which the relay takes the lanes: the lowest number first."""

GUILD_EVENTS: Final = "bongsu.guilds"
"""The fan-out topic of the bot's guilds (`contracts.guilds`)."""

BOT_RPC: Final = "bot.rpc.any"
"""Requests to the bot, whichever of its processes takes them (`contracts.rpc`)."""


def bot_rpc_shard(shard: int) -> str:
    """Requests to the process that runs a shard."""
    return f"bot.rpc.shard.{shard}"


ALL_QUEUES: Final[tuple[str, ...]] = (NOTIFY_JOBS, USERS_DELETED, *DELIVER.values())
"""Every durable queue. Publishers and consumers declare them, so that no start order matters."""
