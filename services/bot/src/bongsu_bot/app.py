"""Builds the bot, and the app that serves its health."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette

from bongsu.broker import Broker
from bongsu.contracts.rpc import BOT_AUDIENCE
from bongsu.identity.assertions import AssertionVerifier
from bongsu.identity.callers import Identity
from bongsu.mixins import Database
from bongsu.runtime.background import in_background
from bongsu.runtime.health import create_health_app
from bongsu.runtime.metrics import Metrics
from bongsu.runtime.stop import StopSignal
from bongsu_bot.apis import Apis
from bongsu_bot.blocked_guilds.handlers import BlockedGuildHandlers
from bongsu_bot.blocked_guilds.service import BlockedGuilds
from bongsu_bot.bot import BongsuBot
from bongsu_bot.delegations.handlers import DelegationHandlers
from bongsu_bot.details.handlers import DetailHandlers
from bongsu_bot.guild_commands.handlers import CommandHandlers
from bongsu_bot.guild_commands.switches import CommandSwitches
from bongsu_bot.guilds import service as guilds
from bongsu_bot.guilds.authority import Authority
from bongsu_bot.guilds.handlers import GuildHandlers
from bongsu_bot.guilds.reconciler import GuildReconciler
from bongsu_bot.guilds.recorder import GuildRecorder
from bongsu_bot.guilds.rest import RestGuildDirectory
from bongsu_bot.history.handlers import HistoryHandlers
from bongsu_bot.leave_requests.handlers import LeaveHandlers
from bongsu_bot.leave_requests.service import LeaveRequests
from bongsu_bot.links import Links
from bongsu_bot.messages.handlers import MessageHandlers
from bongsu_bot.messages.rest import RestMessages
from bongsu_bot.messages.service import Messages
from bongsu_bot.modules.feed import report_to_feed
from bongsu_bot.modules.handlers import ModuleHandlers
from bongsu_bot.modules.posts import ModulePosts
from bongsu_bot.request_rate import RequestRate
from bongsu_bot.rest import RestClient
from bongsu_bot.rpc.registry import Registry
from bongsu_bot.rpc.server import RpcServer
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.assignment import ShardAssignment
from bongsu_bot.shards.budget import IdentifyBudget
from bongsu_bot.shards.handlers import ShardHandlers
from bongsu_bot.shards.identify import FIRST_PAUSE_S, IdentifyBackoff
from bongsu_bot.shards.leases import RENEW_S, ShardLeases
from bongsu_bot.shards.runner import Runner


@asynccontextmanager
async def running(  # noqa: PLR0913 - each is one thing that the bot is built on
    *,
    settings: BotSettings,
    public_url: str,
    identity: Identity,
    database: Database,
    broker: Broker,
    apis: Apis,
    stop: StopSignal,
    metrics: Metrics | None = None,
    renew_s: float = RENEW_S,
    first_pause_s: float = FIRST_PAUSE_S,
) -> AsyncIterator[Runner]:
    """Run the bot while the block runs. It logs in in the background, and again after each lost session.

    Enter it when the server listens, because a stand-in for Discord may be in the same process. The caller keeps
    `identity` following.

    :param renew_s: how often this process renews its leases and looks for free shards.
    :param first_pause_s: the pause of a shard, and of all, before the second IDENTIFY or RESUME in a row.
    """
    metrics = metrics or Metrics("bot")
    leases = ShardLeases(database, settings.shards, renew_s=renew_s)
    rate = RequestRate(lambda: leases.processes)
    recorder = GuildRecorder(database, broker, leases)
    links = Links(public_url)
    switches = CommandSwitches(database)
    budget = IdentifyBudget(database, first_pause_s=first_pause_s)

    def make(backoff: IdentifyBackoff, shards: frozenset[int]) -> BongsuBot:
        services = (recorder, reconciler, blocked, apis, links, leases, budget, posts, switches, database)
        return BongsuBot(settings, *services, backoff=backoff, shards=shards, rate=rate, first_pause_s=first_pause_s)

    runner = Runner(make, settings, leases, stop, metrics, first_pause_s=first_pause_s)
    shards = ShardAssignment(leases, runner.health)
    assertions = AssertionVerifier(public_url, BOT_AUDIENCE, identity.key_source, identity.revocations)
    registry = Registry()
    async with RestClient(settings, rate) as rest:
        directory = RestGuildDirectory(rest)
        authority = Authority(database, directory)
        reconciler = GuildReconciler(directory, recorder, shards, retry_max_s=settings.retry_max_s)
        blocked = BlockedGuilds(database, directory, authority, recorder)
        BlockedGuildHandlers(blocked).register(registry)
        health = ShardHandlers(broker, shards, guilds.count)
        health.register(registry)
        GuildHandlers(shards, health).register(registry)
        CommandHandlers(database, authority).register(registry)
        DetailHandlers(shards, runner.find_guild).register(registry)
        HistoryHandlers().register(registry)
        LeaveHandlers(LeaveRequests(database, directory, authority, recorder)).register(registry)
        discord_messages = RestMessages(rest)
        posts = ModulePosts(database, discord_messages, runner.find_guild)
        messages = Messages(database, authority, discord_messages, partial(report_to_feed, posts))
        MessageHandlers(authority, messages).register(registry)
        ModuleHandlers(database, directory, authority, posts, runner.find_guild).register(registry)
        DelegationHandlers(database, directory, authority, runner.find_guild).register(registry)
        async with (
            leases.running(),
            recorder.running(),
            reconciler.running(),
            blocked.running(),
            posts.running(),
            messages.running(),
            RpcServer(broker, registry, shards, assertions, metrics, notify_user=settings.notify_user).running(),
            in_background(runner.run(), name="bot runner"),
        ):
            yield runner


def create_app(*, identity: Identity, metrics: Metrics) -> Starlette:
    """Build the app that serves the process's health, and keeps `identity` following."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with identity.following():
            yield

    return create_health_app(metrics=metrics, lifespan=lifespan)
