from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.models import User
from bongsu.mixins import Database, utc_now, uuid7
from bongsu_bot.guilds import service as guilds
from bongsu_bot.guilds.port import ListedGuild
from bongsu_bot.guilds.service import GuildSnapshot
from bongsu_bot.history import service
from bongsu_bot.history.models import CommandUseEntry
from bongsu_bot.leave_requests.models import LeaveRequest
from services.bot.tests.conftest import TABLES
from tests.infrastructure.templates import WithTables

GUILD = GuildSnapshot(
    id=300000000006422528, name="서울 개발자 모임", icon=None, owner_id=1, member_count=9, joined_at=datetime.now(UTC)
)


@pytest.fixture
async def database(with_tables: WithTables) -> AsyncIterator[Database]:
    """A database of each supported kind."""
    database = Database(with_tables(TABLES))
    yield database
    await database.dispose()


async def kinds() -> list[str]:
    return [change.kind for change in (await service.list_history(GUILD.id, limit=10)).changes]


@pytest.mark.usefixtures("database")
class TestChanges:
    async def test_changes_of_a_guild_are_listed_newest_first(self) -> None:
        await guilds.upsert(GUILD)
        await guilds.upsert(replace(GUILD, name="Seoul developers"))
        await guilds.mark_unavailable(GUILD.id)
        await guilds.upsert(replace(GUILD, name="Seoul developers"))
        await guilds.mark_left(GUILD.id)
        history = await service.list_history(GUILD.id, limit=10)
        assert [one.kind for one in history.changes] == ["left", "recovered", "outage", "renamed", "added"]
        assert history.changes[3].detail == "Seoul developers"

    async def test_update_without_a_change_is_not_recorded(self) -> None:
        await guilds.upsert(GUILD)
        await guilds.upsert(replace(GUILD, member_count=10))
        assert await kinds() == ["added"]

    async def test_outage_found_by_the_list_is_recorded(self) -> None:
        await guilds.upsert(GUILD)
        listed = [ListedGuild(GUILD.id, GUILD.name, None, None)]
        await guilds.reconcile(listed, seen=(), unavailable=(GUILD.id,), own=(0,), shards=1)
        assert await kinds() == ["outage", "added"]

    async def test_removal_names_the_user_who_asked_for_it(self) -> None:
        user = await User.create(email_norm="mina@example.com", name="김봉수", status="active")
        await guilds.upsert(GUILD)
        await LeaveRequest.create(
            actor_id=user.id, idempotency_key="key-0001", guild_id=GUILD.id, claimed_until=utc_now(20)
        )
        await guilds.mark_left(GUILD.id)
        (removed, _) = (await service.list_history(GUILD.id, limit=10)).changes
        assert (removed.kind, removed.actor) == ("removed", "김봉수")

    async def test_removal_names_no_user_when_the_account_was_deleted(self) -> None:
        await service.record_change(GUILD.id, "removed", actor_id=uuid7())
        assert (await service.list_history(GUILD.id, limit=10)).changes[0].actor is None

    async def test_earlier_removal_does_not_explain_a_departure(self) -> None:
        await guilds.upsert(GUILD)
        await LeaveRequest.create(
            actor_id=uuid7(), idempotency_key="key-0001", guild_id=GUILD.id, claimed_until=utc_now(20)
        )
        await LeaveRequest.query().unfiltered().update(created_at=datetime.now(UTC) - timedelta(hours=1))
        await guilds.mark_left(GUILD.id)
        assert await kinds() == ["left", "added"]


@pytest.mark.usefixtures("database")
class TestCommands:
    async def test_commands_are_listed_newest_first_and_limited(self) -> None:
        for name in ("ping", "help", "link"):
            await service.record_command(GUILD.id, name, "done")
        await service.record_command(GUILD.id + 1, "stats", "failed")
        history = await service.list_history(GUILD.id, limit=2)
        assert [use.command for use in history.commands] == ["link", "help"]

    async def test_old_commands_are_deleted_with_the_next(self) -> None:
        await service.record_command(GUILD.id, "ping", "done")
        await CommandUseEntry.query().unfiltered().update(created_at=datetime.now(UTC) - timedelta(days=31))
        await service.record_command(GUILD.id, "help", "refused")
        (use,) = await CommandUseEntry.query().all()
        assert (use.command, use.outcome) == ("help", "refused")
