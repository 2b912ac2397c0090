"""The real bot against the sandbox's Discord, over loopback, on a database and a broker of each test's own."""

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

import bongsu_bot
from bongsu.broker.memory import MemoryBroker
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.service_credentials import ServiceCredentials
from bongsu.identity.vault import Vault
from bongsu.mixins import Database, utc_now
from bongsu.runtime.stop import StopSignal
from bongsu_bot.apis import Apis
from bongsu_bot.app import running as running_bot
from bongsu_bot.settings import BotSettings
from bongsu_bot.shards.models import BotReplica, ShardLease
from bongsu_bot.shards.runner import Runner
from bongsu_sandbox.running import RunningSandbox, running
from bongsu_sandbox.settings import SandboxSettings
from services.bot.tests.actors import PUBLIC_URL
from services.bot.tests.api_server import ApiServer
from services.bot.tests.discord import Discord
from tests.eventually import eventually
from tests.infrastructure.templates import Schema, WithTables

for _module in pkgutil.walk_packages(bongsu_bot.__path__, "bongsu_bot."):
    # Some models are imported by a cog only, and so after the tables of the first tests were created.
    if _module.name.endswith(".models"):
        importlib.import_module(_module.name)
TABLES = Schema.of_models("bot")
StartBot = Callable[..., AbstractAsyncContextManager[Runner]]
FIRST_PAUSE_S = 0.1
"""The first pause between two logins in a row: the pauses after it are as short in proportion."""


@pytest.fixture
def sandbox_settings(tmp_path: Path) -> SandboxSettings:
    """Discord waits for an answer as long as a bot on a slow machine may take."""
    return SandboxSettings(data_dir=tmp_path / "sandbox", discord_answer_s=60.0)


@pytest.fixture
async def sandbox(sandbox_settings: SandboxSettings) -> AsyncIterator[RunningSandbox]:
    async with running(sandbox_settings) as started:
        yield started


@pytest.fixture
def discord(sandbox: RunningSandbox) -> Discord:
    return Discord(sandbox)


@pytest.fixture
async def database(sqlite_with_tables: WithTables) -> AsyncIterator[Database]:
    database = Database(sqlite_with_tables(TABLES))
    yield database
    await database.dispose()


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker(user="notify")
    await broker.connect()
    yield broker
    await broker.close()


@pytest.fixture
def vault() -> Vault:
    return Vault.parse(Vault.new_key())


@pytest.fixture
async def identity(database: Database, vault: Vault) -> AsyncIterator[Identity]:
    del database  # its tables hold the keys
    await ensure_signing_key(vault)
    identity = Identity(vault=vault, public_url=PUBLIC_URL)
    async with identity.following():
        yield identity


@pytest.fixture
def settings(sandbox: RunningSandbox) -> BotSettings:
    return (
        BotSettings()
        .with_stand_ins(sandbox.url)
        .model_copy(update={"guilds_timeout_s": 0.2, "ready_timeout_s": 30.0, "retry_max_s": 0.2})
    )


@pytest.fixture
def api_server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def apis(api_server: ApiServer, vault: Vault) -> AsyncIterator[Apis]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(api_server), base_url="http://api.test") as client:
        yield Apis({"auth": client, "notify": client}, ServiceCredentials(vault))


@pytest.fixture
def start_bot(
    settings: BotSettings, identity: Identity, database: Database, broker: MemoryBroker, apis: Apis
) -> StartBot:
    """Runs a bot while a block runs, by default from when it is ready on. Other keywords are settings."""

    @asynccontextmanager
    async def start(
        *, until_ready: bool = True, first_pause_s: float = FIRST_PAUSE_S, **changes: object
    ) -> AsyncIterator[Runner]:
        stop = StopSignal()
        async with running_bot(
            settings=settings.model_copy(update=changes),
            public_url=PUBLIC_URL,
            identity=identity,
            database=database,
            broker=broker,
            apis=apis,
            stop=stop,
            renew_s=0.2,
            first_pause_s=first_pause_s,
        ) as runner:
            if until_ready:
                await becomes(runner, "ready")
            yield runner
            stop.set()

    return start


@pytest.fixture
async def bot(start_bot: StartBot) -> AsyncIterator[Runner]:
    async with start_bot() as runner:
        yield runner


@asynccontextmanager
async def two_processes(start_bot: StartBot) -> AsyncIterator[tuple[Runner, Runner]]:
    """Run a bot of two shards in two processes while a block runs: those of shard 0 and shard 1."""
    async with (
        start_bot(shards=2, until_ready=False) as first,
        start_bot(shards=2, until_ready=False) as second,
    ):
        both = (first, second)
        await eventually(
            lambda: all(len(one._leases.own) == 1 and one.state == "ready" and one.ready for one in both), 60
        )
        shard_0, shard_1 = sorted(both, key=lambda one: sorted(one._leases.own))
        yield shard_0, shard_1


async def hold(shard: int) -> UUID:
    """Hold a shard as a process that is not a part of the test."""
    replica = await BotReplica.create(expires_at=utc_now(3600))
    await ShardLease.create(shard=shard, holder_id=replica.id, epoch=1, expires_at=utc_now(3600))
    return replica.id


async def becomes(runner: Runner, *states: str, within_s: float = 60.0) -> None:
    """Wait until the runner is in one of these states."""
    async with asyncio.timeout(within_s):
        while runner.state not in states:
            await runner.changed.wait()
