"""The bot's error kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bongsu.mixins import is_unavailable
from bongsu.runtime import errors

DATABASE_S: Final = 5.0
"""How long a command or a request waits for the database: it has to be answered while its user still waits."""


class AssertionNotAccepted(errors.Unauthorised):
    """The assertion is for another action, or it is expired, used or revoked."""

    code = "assertion_refused"


class NotLinked(errors.Forbidden):
    code = "not_linked"
    detail = "Link your Discord account first"


class NotAManager(errors.Forbidden):
    code = "forbidden"
    detail = "You need the Manage Server permission"


class NotAnAdministrator(errors.Forbidden):
    code = "forbidden"
    detail = "You need the role administrator"


class GuildNotFound(errors.NotFound):
    code = "guild_not_found"
    detail = "The bot is not in this server"


class SenderRefused(errors.Forbidden):
    """The broker user that sent the request may not make it."""

    code = "sender_refused"
    detail = "The bot takes this request from notify only"


class ChannelNotFound(errors.NotFound):
    code = "channel_not_found"
    detail = "The bot does not see this channel"


class PermissionMissing(errors.Forbidden):
    code = "permission_missing"
    detail = "The bot needs the View Channel, Send Messages and Embed Links permissions there"


class MessageRefused(errors.Invalid):
    code = "message_refused"
    detail = "Discord refused the message"


class RecipientUnreachable(errors.Forbidden):
    code = "recipient_unreachable"
    detail = "The user accepts no direct messages from the bot"


class ChannelBusy(errors.Unavailable):
    """More messages wait for the channel than Discord takes in time."""

    code = "channel_busy"
    detail = "Too many messages wait for this channel"


class OutcomeUnknown(errors.Unavailable):
    """The request was sent to Discord, and no answer came: the message may be there."""

    code = "outcome_unknown"
    detail = "Discord did not confirm the message"


class ChannelRequired(errors.Invalid):
    code = "channel_required"
    detail = "Choose a channel"


class ModuleOutdated(errors.Conflict):
    code = "module_outdated"
    detail = "Someone else changed this module meanwhile"


class RoleNotFound(errors.NotFound):
    code = "role_not_found"
    detail = "The server has no such role"


class DelegationOutdated(errors.Conflict):
    code = "delegation_outdated"
    detail = "Someone else changed the access meanwhile"


class CommandUnknown(errors.Invalid):
    code = "command_unknown"
    detail = "There is no such command, or it is always on"


class CommandsOutdated(errors.Conflict):
    code = "commands_outdated"
    detail = "Someone else changed the commands meanwhile"


class IdempotencyKeyReused(errors.Conflict):
    code = "idempotency_key_reused"
    detail = "This idempotency key was used for another server"


class RequestOutdated(errors.Conflict):
    code = "request_outdated"
    detail = "The bot was added again after this request was made"


class BotNotReady(errors.Unavailable):
    """The bot has no token, Discord refuses it, or the bot's database does not answer."""

    code = "bot_not_ready"


@asynccontextmanager
async def needs_database(limit_s: float = DATABASE_S) -> AsyncIterator[None]:
    """Run a block that cannot do without the database.

    :raises BotNotReady: the database does not answer, or not in time.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except Exception as error:
        if is_unavailable(error):
            raise BotNotReady("The bot's database does not answer") from error
        raise


class ShardUnavailable(errors.Unavailable):
    """No process runs the shard of the guild."""

    code = "shard_unavailable"


class DiscordUnavailable(errors.Unavailable):
    code = "discord_unavailable"
    detail = "Discord does not answer"


class ApiUnavailable(errors.Unavailable):
    """auth or notify does not answer, or answers outside its contract."""

    code = "api_unavailable"
    detail = "The service does not answer"


class NotAnId(errors.Invalid):
    code = "not_an_id"
    detail = "Give an ID such as 0197c2a4-1f00-7000-8000-000000000000"


class PageExpired(errors.NotFound):
    code = "page_expired"
    detail = "This list is too old. Run the command again"


class GuildOnly(errors.Invalid):
    code = "guild_only"
    detail = "Use this command in a server"


class SubscriptionUnknown(errors.NotFound):
    code = "subscription_not_found"
    detail = "This channel has no such subscription"


class AccountUnknown(errors.NotFound):
    code = "user_not_found"
    detail = "User not found"
