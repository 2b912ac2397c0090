"""What the bot refuses, and why."""

from bongsu.runtime import errors


class AssertionNotAccepted(errors.Unauthorised):
    """The assertion is not for this action, is out of date, was used or is revoked."""

    code = "assertion_refused"


class NotLinked(errors.Forbidden):
    """The acting user has no Discord account."""

    code = "not_linked"


class NotAManager(errors.Forbidden):
    """The acting user does not manage the guild."""

    code = "forbidden"


class GuildNotFound(errors.NotFound):
    """The bot is not in that guild."""

    code = "guild_not_found"


class IdempotencyKeyReused(errors.Conflict):
    """The key was used for something else."""

    code = "idempotency_key_reused"


class BotNotReady(errors.Unavailable):
    """The bot is not logged in."""

    code = "bot_not_ready"


class ShardUnavailable(errors.Unavailable):
    """No process runs the guild's shard."""

    code = "shard_unavailable"


class DiscordUnavailable(errors.Unavailable):
    """Discord does not answer, or not with what was asked for."""

    code = "discord_unavailable"
