"""Posts of modules while Discord does not answer for one guild."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest
from pydantic import JsonValue
from structlog.testing import capture_logs

from bongsu.mixins import Database, uuid7
from bongsu_bot.messages.port import DiscordMessages
from bongsu_bot.modules.models import GuildModule
from bongsu_bot.modules.posts import WAITING_PER_GUILD, ModulePosts
from tests.eventually import eventually

HANGING, OTHER = 1 << 22, 2 << 22


class Channels:
    """Discord, which never answers for one channel."""

    def __init__(self) -> None:
        self.posted: list[int] = []
        self.attempts: list[str] = []

    async def post(
        self, channel_id: int, *, nonce: str, text: str | None, embed: Mapping[str, JsonValue] | None
    ) -> int:
        del text, embed
        self.attempts.append(nonce)
        if channel_id == HANGING + 1:
            await asyncio.get_running_loop().create_future()
        self.posted.append(channel_id)
        return 1


@pytest.fixture
async def channels(database: Database) -> Channels:
    async with database.unit():
        for guild_id in (HANGING, OTHER):
            await GuildModule.create(
                guild_id=guild_id,
                module="log",
                enabled=True,
                channel_id=guild_id + 1,
                revision=1,
                changed_by=uuid7(),
                idempotency_key="key-0001",
            )
    return Channels()


def make_posts(database: Database, channels: Channels, *, deadline_s: float) -> ModulePosts:
    return ModulePosts(database, cast("DiscordMessages", channels), lambda _guild: None, deadline_s=deadline_s)


def log(posts: ModulePosts, guild_id: int, nonce: str) -> None:
    posts.log(guild_id, nonce, "modules.log_command", command="ping")


async def test_hanging_guild_delays_no_other_guild(database: Database, channels: Channels) -> None:
    posts = make_posts(database, channels, deadline_s=600)
    async with posts.running():
        log(posts, HANGING, "first")
        await eventually(lambda: channels.attempts == ["first"])
        log(posts, OTHER, "second")
        await eventually(lambda: channels.posted == [OTHER + 1])


async def test_post_that_takes_too_long_is_dropped_with_a_log_line(database: Database, channels: Channels) -> None:
    posts = make_posts(database, channels, deadline_s=0.2)
    with capture_logs() as logs:

        def dropped() -> list[tuple[int, str]]:
            return [(one["guild_id"], one["reason"]) for one in logs if one["event"] == "module.post_dropped"]

        async with posts.running():
            log(posts, HANGING, "first")
            log(posts, HANGING, "second")
            # On a busy machine the database may take longer than the deadline, too.
            await eventually(lambda: dropped() == [(HANGING, "deadline")] * 2)
    assert channels.posted == []


async def test_posts_of_a_guild_that_wait_are_bounded(database: Database, channels: Channels) -> None:
    posts = make_posts(database, channels, deadline_s=600)
    with capture_logs() as logs:
        async with posts.running():
            log(posts, HANGING, "first")
            await eventually(lambda: channels.attempts == ["first"])
            for number in range(WAITING_PER_GUILD + 3):
                log(posts, HANGING, f"more-{number}")
    assert [one["reason"] for one in logs if one["event"] == "module.post_dropped"] == ["queue_full"] * 3
