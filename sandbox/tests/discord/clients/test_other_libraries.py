"""Bots on libraries other than the project's own log in, register, answer and reconnect at Discord's stand-in."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bongsu_sandbox.running import RunningSandbox
from sandbox.tests.discord.conftest import CONTROL, TOKEN
from tests.eventually import eventually
from tests.infrastructure.node import require_node, require_packages

MEMBER, GUILD = "200000000000000003", "300000000006422528"
Command = Callable[[pytest.Item], list[str]]


def python_bot(name: str) -> Command:
    return lambda _item: [sys.executable, str(Path(__file__).parent / f"{name}_bot.py")]


def node_bot(item: pytest.Item) -> list[str]:
    return [require_node(item), str(require_packages(item) / "discord-bot.mjs")]


LIBRARIES: dict[str, Command] = {
    "discord.js": node_bot,
    "disnake": python_bot("disnake"),
    "hikari": python_bot("hikari"),
}


@asynccontextmanager
async def running_bot(command: list[str], sandbox: RunningSandbox) -> AsyncIterator[None]:
    """Run the bot while the block runs; it ends when its input does."""
    process = await asyncio.create_subprocess_exec(
        *command,
        f"{sandbox.url}/sandbox/discord/api",
        TOKEN,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield
        assert process.returncode is None, "the bot has ended"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            output, _ = await process.communicate()
        print(output.decode())  # noqa: T201 - pytest shows it with a failure


class Stage:
    """The control API of the stand-in."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self._http.get(f"{CONTROL}/state")).json()
        return found

    async def drop(self, how: str) -> None:
        (await self._http.post(f"{CONTROL}/gateway/drop", json={"how": how})).raise_for_status()

    async def until_connected(self, count: str, reaches: int) -> None:
        """Wait until the count of the gateway has its value, and a session is connected."""

        async def is_reached() -> bool:
            gateway = (await self.state())["gateway"]
            return gateway[count] >= reaches and any(one["connected"] for one in gateway["sessions"])

        await eventually(is_reached)

    async def until_registered(self) -> None:
        async def is_registered() -> bool:
            return [one["name"] for one in (await self.state())["commands"]] == ["beacon"]

        await eventually(is_registered)

    async def answer(self) -> str:
        """Run the bot's command, and return its private answer."""
        return await self._answer_in(GUILD)

    async def answer_directly(self) -> str:
        """Do the same in the direct messages with the bot."""
        return await self._answer_in(None)

    async def _answer_in(self, guild_id: str | None) -> str:
        body = {"command": "beacon", "user_id": MEMBER, "guild_id": guild_id, "wait_s": 30}
        found = (await self._http.post(f"{CONTROL}/interactions", json=body)).json()
        assert (found["status"], found["deferred"], found["ephemeral"]) == ("answered", True, True), found
        [answer] = found["answers"]
        content: str = answer["content"]
        return content


@pytest.mark.timeout(240)
@pytest.mark.parametrize("library", LIBRARIES)
async def test_bot_logs_in_registers_answers_in_servers_and_directly_and_survives_op_7_and_9(
    library: str, request: pytest.FixtureRequest, sandbox: RunningSandbox
) -> None:
    stage = Stage(sandbox.http)
    async with running_bot(LIBRARIES[library](request.node), sandbox):
        await stage.until_registered()
        first = await stage.answer()
        assert " in " in first
        assert (await stage.answer_directly()).endswith(" in direct messages")
        await stage.drop("reconnect")
        await stage.until_connected("resumes", 1)
        assert await stage.answer() == first
        assert (await stage.state())["gateway"]["identifies"] == 1
        await stage.drop("invalid_session")
        await stage.until_connected("identifies", 2)
        assert await stage.answer() == first
        gateway = (await stage.state())["gateway"]
    assert (gateway["identifies"], gateway["refused"]) == (2, 0)
