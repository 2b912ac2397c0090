"""Names on the broker, shared by publishers and consumers. A rename is a breaking change."""

from typing import Final, Literal

Priority = Literal["high", "normal", "bulk"]

NOTIFY_JOBS: Final = "notify.jobs"
"""Requests of other services for notifications (`NotificationJob`)."""

USERS_DELETED: Final = "notify.users.deleted"
"""Deleted accounts, whose data notify deletes (`contracts.users.UserDeleted`)."""

USERS_CHANGED: Final = "notify.users.changed"
"""Blocked accounts and changed roles (`contracts.users.UserChange`), for notify."""

BOT_USERS_DELETED: Final = "bot.users.deleted"
"""Deleted accounts, which the bot forgets (`contracts.users.UserDeleted`)."""

BOT_GUILDS_INSTALLED: Final = "bot.guilds.installed"
"""Guilds to which users added the bot, as Discord confirmed to auth (`contracts.guilds.GuildInstalled`)."""

DELIVER: Final[dict[str, dict[Priority, str]]] = {
    "email": {
        "high": "notify.deliver.high",
        "normal": "notify.deliver.normal",
        "bulk": "notify.deliver.bulk",
    },
    "discord": {
        "high": "notify.deliver.discord.high",
        "normal": "notify.deliver.discord.normal",
        "bulk": "notify.deliver.discord.bulk",
    },
}
"""Wake-ups for the worker (`DeliveryWakeup`): a queue for each channel and lane, so that none waits behind another."""

DELIVER_QUEUES: Final = tuple(queue for lanes in DELIVER.values() for queue in lanes.values())

LANES: Final[dict[Priority, int]] = {"high": 0, "normal": 1, "bulk": 2}
"""The order in which the relay takes the lanes: the lowest number first."""

GUILD_EVENTS: Final = "bongsu.guilds"
"""The fan-out topic of the bot's guilds (`contracts.guilds`)."""

BOT_RPC: Final = "bot.rpc.any"
"""Requests to the bot, whichever of its processes takes them (`contracts.rpc`)."""


BOT_MESSAGES: Final = "bot.rpc.messages"
"""Messages that notify sends through the bot, which may wait for Discord's rate limits: others are not behind them."""


def bot_rpc_shard(shard: int) -> str:
    """Requests to the process that runs a shard."""
    return f"bot.rpc.shard.{shard}"


NOTIFY_QUEUES: Final[tuple[str, ...]] = (NOTIFY_JOBS, USERS_DELETED, USERS_CHANGED, *DELIVER_QUEUES)
"""The durable queues that notify consumes."""

BOT_QUEUES: Final[tuple[str, ...]] = (BOT_USERS_DELETED, BOT_GUILDS_INSTALLED)
"""The durable queues that the bot consumes."""

ALL_QUEUES: Final[tuple[str, ...]] = (*NOTIFY_QUEUES, *BOT_QUEUES)
"""Every durable queue. Publishers and consumers declare them, so that no start order matters."""
