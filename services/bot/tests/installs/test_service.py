from datetime import UTC, datetime, timedelta

import pytest

from bongsu.contracts.guilds import GuildInstalled
from bongsu.identity.models import User
from bongsu.mixins import Database
from bongsu_bot.deleted_users.service import forget
from bongsu_bot.guilds import service as guilds
from bongsu_bot.guilds.service import GuildSnapshot
from bongsu_bot.history.service import find_adders, list_history
from bongsu_bot.installs.models import GuildInstall
from bongsu_bot.installs.service import WINDOW, record

GUILD = 8 << 22
SNAPSHOT = GuildSnapshot(id=GUILD, name="봉수대", icon=None, owner_id=1, member_count=3, joined_at=None)


async def make_user(name: str = "김봉수") -> User:
    return await User.create(
        email_norm=f"{name}@example.com", email_verified_at=datetime.now(UTC), status="active", name=name
    )


def installed(user: User, *, ago: timedelta = timedelta()) -> GuildInstalled:
    return GuildInstalled(guild_id=GUILD, user_id=user.id, at=datetime.now(UTC) - ago)


async def adders() -> list[str | None]:
    changes = (await list_history(GUILD, limit=10)).changes
    return [change.actor for change in changes if change.kind == "added"]


class TestInstalls:
    @pytest.mark.parametrize("is_reported_first", [True, False])
    async def test_history_names_who_added_the_bot_in_either_order(
        self, database: Database, *, is_reported_first: bool
    ) -> None:
        del database
        user = await make_user()
        if is_reported_first:
            await record(installed(user))
            await guilds.upsert(SNAPSHOT)
        else:
            await guilds.upsert(SNAPSHOT)
            await record(installed(user))
        await record(installed(user))
        assert await adders() == ["김봉수"]

    async def test_list_of_guilds_names_who_added_the_bot_last(self, database: Database) -> None:
        del database
        user = await make_user()
        await record(installed(user, ago=WINDOW / 2))
        await guilds.upsert(SNAPSHOT)
        assert await find_adders([GUILD, GUILD + 1]) == {GUILD: "김봉수"}
        await GuildInstall.filter_by(guild_id=GUILD).delete()
        await guilds.mark_left(GUILD)
        await guilds.upsert(SNAPSHOT)
        assert await find_adders([GUILD]) == {}

    async def test_old_report_names_no_later_addition(self, database: Database) -> None:
        del database
        user = await make_user()
        await record(installed(user, ago=2 * WINDOW))
        await guilds.upsert(SNAPSHOT)
        assert await adders() == [None]

    async def test_user_who_grants_permissions_later_did_not_add_the_bot(self, database: Database) -> None:
        del database
        first, second = await make_user(), await make_user("이하늘")
        await record(installed(first))
        await guilds.upsert(SNAPSHOT)
        await record(installed(second))
        assert await adders() == ["김봉수"]

    async def test_deleted_user_is_forgotten(self, database: Database) -> None:
        del database
        user = await make_user()
        await record(installed(user))
        await forget(user.id)
        await guilds.upsert(SNAPSHOT)
        assert await adders() == [None]
