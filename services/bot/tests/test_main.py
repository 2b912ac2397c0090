"""`python -m bongsu_bot`, against the stand-in for Discord."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu.mixins.base import Base, owned_tables
from bongsu.runtime import migrations
from bongsu_bot.migrations import MIGRATIONS
from bongsu_sandbox.running import RunningSandbox
from services.bot.tests.discord import Discord
from tests.eventually import eventually
from tests.infrastructure import forked
from tests.ports import free_port

pytestmark = pytest.mark.mysql


@pytest.fixture
async def environ(mysql_database_url: str, sandbox: RunningSandbox) -> dict[str, str]:
    """The settings of a bot on a database with its tables, and on a broker that is away."""
    database = Database(mysql_database_url)
    await migrations.upgrade(database.engine, [MIGRATIONS])
    async with database.engine.begin() as connection:  # those that auth migrates
        await connection.run_sync(Base.metadata.create_all, tables=owned_tables("auth"))
    await database.dispose()
    url, port = make_url(mysql_database_url), free_port()
    return {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "BONGSU_PUBLIC_URL": f"http://localhost:{port}",
        "BONGSU_SANDBOX_URL": sandbox.url,
        "BONGSU_VAULT_KEYS": Vault.new_key(),
        "MYSQL_HOST": url.host or "",
        "MYSQL_PORT": str(url.port or 3306),
        "MYSQL_USER": url.username or "",
        "MYSQL_PASSWORD": url.password or "",
        "MYSQL_DATABASE": url.database or "",
        "AMQP_URL": "amqp://guest:guest@127.0.0.1:9/",
    }


@asynccontextmanager
async def running(folder: Path, environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bongsu_bot",
        cwd=folder,
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class TestProcess:
    async def test_wrong_token_ends_the_process_with_one_clear_line(
        self, environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
    ) -> None:
        wrong = {"BOT_TOKEN": "MTEx.wrong.token", "BOT_API_URL": f"{sandbox.url}/sandbox/discord/api"}
        async with running(tmp_path, environ | wrong) as process:
            _, output = await process.communicate()
        assert process.returncode == 1
        lines = output.decode().splitlines()
        assert "Discord refuses BOT_TOKEN" in lines[-1]
        assert "Traceback" not in output.decode()
        assert "MTEx" not in output.decode()

    async def test_readiness_follows_the_gateway_and_the_process_ends_on_a_signal(
        self, environ: dict[str, str], discord: Discord, tmp_path: Path
    ) -> None:
        process = forked.start_module("bongsu_bot", environ=environ, folder=tmp_path, output=tmp_path / "log")
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{environ['PORT']}", timeout=60) as client:

                async def discord_is(state: str) -> bool:
                    assert process.exitcode is None, "the process has ended"
                    return bool((await client.get("/readyz")).json()["discord"] == state)

                await eventually(lambda: discord_is("ok"), ignoring=(httpx.TransportError,))
                await discord.fault("gateway", "hang")
                await discord.drop("reset")
                await eventually(lambda: discord_is("down"))
                await discord.sandbox.clear_faults()
                await eventually(lambda: discord_is("ok"), 120)
            process.terminate()
            await asyncio.to_thread(process.join)
            assert process.exitcode == 0
        finally:
            process.kill()
