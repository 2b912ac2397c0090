"""The bot's error kinds."""

from bongsu.runtime import errors


class AssertionNotAccepted(errors.Unauthorised):
    """The assertion is for another action, or it is expired, used or revoked."""

    code = "assertion_refused"


class NotLinked(errors.Forbidden):
    """The acting user has no Discord account."""

    code = "not_linked"


class NotAManager(errors.Forbidden):
    """The acting user does not manage the guild."""

    code = "forbidden"


class GuildNotFound(errors.NotFound):
    """The bot is not in the guild."""

    code = "guild_not_found"


class IdempotencyKeyReused(errors.Conflict):
    """The idempotency key was used for another request."""

    code = "idempotency_key_reused"


class RequestOutdated(errors.Conflict):
    """The request was fulfilled, and the bot has been added again since."""

    code = "request_outdated"


class BotNotReady(errors.Unavailable):
    """The bot has no token, or Discord refuses it."""

    code = "bot_not_ready"


class ShardUnavailable(errors.Unavailable):
    """No process runs the shard of the guild."""

    code = "shard_unavailable"


class DiscordUnavailable(errors.Unavailable):
    """Discord does not answer, or answers with an error."""

    code = "discord_unavailable"
