"""The bot's replicas share its shards, and take over those of a replica that dies."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx
import pytest
from harness.compose import ComposeStack, docker

from tests.eventually import wait_until

pytestmark = pytest.mark.timeout(300)

CONTROL = "/sandbox/discord/control"
SHARDS = 2
HANEUL = "200000000000000005"
TAKEN_OVER_WITHIN_S = 30.0
PAUSE_S = 0.2
"""Between two commands of a member: 5 a second on each shard."""
CALLBACK = "POST /interactions/{interaction_id}/{token}/callback"

Kill = Callable[[ComposeStack, str], None]


class Discord:
    """The stand-in's control API, with a guild of the bot on each shard."""

    def __init__(self, stack: ComposeStack) -> None:
        self._http = stack.client()
        self.guilds: dict[int, str] = {}
        self.commands: set[str] = set()
        """The IDs of all commands that were run."""

    def make_guilds(self) -> None:
        """Make guilds with the bot, until each shard has one: an ID decides the shard."""
        while len(self.guilds) < SHARDS:
            wanted = {"name": "Two replicas", "owner_id": HANEUL, "bot": True}
            guild_id: str = self._call("POST", "/guilds", wanted)["id"]
            shard = (int(guild_id) >> 22) % SHARDS
            if self.guilds.setdefault(shard, guild_id) != guild_id:
                self._call("DELETE", f"/guilds/{guild_id}")

    def delete_guilds(self) -> None:
        """Delete the guilds of `make_guilds`."""
        for guild_id in self.guilds.values():
            self._call("DELETE", f"/guilds/{guild_id}")

    def sessions(self) -> list[str]:
        """List the connected sessions by shard."""
        found = self.state()["gateway"]["sessions"]
        connected = sorted((one["shard_id"], one["id"]) for one in found if one["connected"])
        return [session for shard, session in connected if shard in range(SHARDS)]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", "/state")
        return found

    def ping(self, shard: int, *, wait_s: float) -> dict[str, Any]:
        """Run /ping in the shard's guild, and wait so long for the answer."""
        body = {"command": "ping", "user_id": HANEUL, "guild_id": self.guilds[shard], "wait_s": wait_s}
        found: dict[str, Any] = self._call("POST", "/interactions", body)
        self.commands.add(found["id"])
        return found

    def all_shards_answer(self) -> bool:
        """Whether a command on each shard is answered."""
        return all(self.ping(shard, wait_s=5)["status"] == "answered" for shard in range(SHARDS))

    def outcomes(self) -> list[dict[str, Any]]:
        """List the commands that were run, with their answers."""
        return [one for one in self._call("GET", "/interactions")["items"] if one["id"] in self.commands]

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        answer = self._http.request(method, f"{CONTROL}{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


class Member:
    """Runs commands on every shard while a block runs, and does not wait for their answers."""

    def __init__(self, discord: Discord) -> None:
        self._discord = discord
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="member")
        self.errors: list[Exception] = []

    def _run(self) -> None:
        try:
            while not self._stop.wait(PAUSE_S):
                for shard in range(SHARDS):
                    self._discord.ping(shard, wait_s=0)
        except httpx.HTTPError as error:
            self.errors.append(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def replicas(composed: ComposeStack) -> Iterator[ComposeStack]:
    """The shared stack with two replicas of the bot; one again afterwards."""
    composed.scale(bot=2)
    yield composed
    composed.scale(bot=1)


@pytest.fixture
def discord(replicas: ComposeStack) -> Iterator[Discord]:
    discord = Discord(replicas)
    discord.make_guilds()
    yield discord
    discord.delete_guilds()


def _holders(stack: ComposeStack) -> set[tuple[str]]:
    """The replicas that hold shards."""
    return {*stack.sql("SELECT HEX(holder_id) FROM bongsu.shard_leases WHERE holder_id IS NOT NULL")}


def _stays_dead(stack: ComposeStack, container: str) -> None:
    del stack
    docker("kill", container)


def _is_restarted(stack: ComposeStack, container: str) -> None:
    stack.kill(container)


class TestReplicaKilled:
    @pytest.mark.parametrize("kill", [_stays_dead, _is_restarted], ids=["stays dead", "is restarted"])
    def test_shards_move_in_time_and_no_command_is_answered_twice(
        self, replicas: ComposeStack, discord: Discord, kill: Kill, record_property: Callable[[str, object], None]
    ) -> None:
        def is_shared() -> bool:
            return len(_holders(replicas)) == SHARDS and len(discord.sessions()) == SHARDS

        wait_until(is_shared, 60, "each replica runs a shard")
        before, holders = discord.state(), _holders(replicas)
        wait_until(discord.all_shards_answer, 60, "both shards answer")
        victim, _ = replicas.containers("bot")
        with Member(discord) as member:
            kill(replicas, victim)
            wait_until(lambda: len(discord.sessions()) < SHARDS, 10, "the killed replica is away")

            def are_taken_over() -> bool:
                return _holders(replicas) != holders and len(discord.sessions()) == SHARDS

            wait_until(are_taken_over, TAKEN_OVER_WITHIN_S, "the shards of the killed replica are connected again")
            wait_until(discord.all_shards_answer, 30, "both shards answer")
        assert not member.errors

        after, commands = discord.state(), discord.outcomes()
        identifies = after["gateway"]["identifies"] - before["gateway"]["identifies"]
        record_property("identifies", identifies)
        record_property("commands", len(commands))
        assert 1 <= identifies <= 2 * SHARDS
        assert len(commands) > 4 * SHARDS
        assert max(len(one["answers"]) for one in commands) == 1
        delivered = sum(one["status"] != "not_delivered" for one in commands)
        assert after["rest"][CALLBACK] - before["rest"].get(CALLBACK, 0) <= delivered
