from datetime import UTC, datetime

from sqlalchemy import select

from bongsu.mixins import BaseModel, Database, UUIDKey, uuid7
from bongsu.mixins.base import owned_tables
from bongsu_bot.blocked_guilds.models import BlockedGuild
from bongsu_bot.delegations.models import GuildDelegation
from bongsu_bot.deleted_users.service import forget
from bongsu_bot.guild_commands.models import GuildCommandSettings
from bongsu_bot.history.models import GuildChangeEntry
from bongsu_bot.installs.models import GuildInstall
from bongsu_bot.leave_requests.models import LeaveRequest
from bongsu_bot.modules.models import GuildModule

GUILD = 8 << 22


class TestForget:
    async def test_no_table_refers_to_a_deleted_account(self, database: Database) -> None:
        user, other = uuid7(), uuid7()
        now = datetime.now(UTC)
        for guild, one in enumerate((user, other), GUILD):
            rows: list[BaseModel] = [
                GuildModule(
                    guild_id=guild, module="feed", enabled=True, revision=1, changed_by=one, idempotency_key="key"
                ),
                GuildDelegation(guild_id=guild, role_id=1, revision=1, changed_by=one, idempotency_key="key"),
                GuildCommandSettings(guild_id=guild, off=[], revision=1, changed_by=one, idempotency_key="key"),
                GuildChangeEntry(guild_id=guild, kind="added", actor_id=one),
                GuildInstall(guild_id=guild, actor_id=one, at=now),
                LeaveRequest(actor_id=one, idempotency_key="key", guild_id=guild, claimed_until=now),
            ]
            await BlockedGuild.create(id=guild, reason="spam", blocked_by=one)
            for row in rows:
                await row.save()
        await forget(user)
        references = [
            column
            for table in owned_tables("bot")
            for column in table.columns
            if isinstance(column.type, UUIDKey) and not column.primary_key and column.name != "holder_id"
        ]
        async with database.unit() as unit:
            found = [value for column in references for value in await unit.session.scalars(select(column))]
        assert set(found) == {None, other}
        assert found.count(other) == len(references) == 7
        assert await GuildModule.filter_by(enabled=True).count() == 2
