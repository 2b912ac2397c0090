from dataclasses import dataclass, field

import pytest

from bongsu_bot.errors import NotAManager
from bongsu_bot.guilds.authority import require_manager
from bongsu_bot.guilds.port import ADMINISTRATOR, MANAGE_GUILD, ChannelInfo, GuildPermissions, ListedGuild

GUILD, OWNER, MEMBER, ROLE = 10, 1, 2, 11


@dataclass
class Directory:
    """One guild with one member."""

    everyone: int = 0
    role: int = 0
    members: dict[int, frozenset[int]] = field(default_factory=lambda: {MEMBER: frozenset({ROLE})})

    async def list_guilds(self) -> list[ListedGuild]:
        raise AssertionError

    async def get_permissions(self, _guild_id: int) -> GuildPermissions:
        return GuildPermissions(GUILD, "Guild", OWNER, {GUILD: self.everyone, ROLE: self.role})

    async def get_member_roles(self, _guild_id: int, user_id: int) -> frozenset[int] | None:
        return self.members.get(user_id)

    async def get_channel(self, channel_id: int) -> ChannelInfo:
        raise AssertionError(channel_id)

    async def leave(self, guild_id: int) -> None:
        raise AssertionError(guild_id)


class TestRequireManager:
    async def test_require_manager_accepts_the_owner(self) -> None:
        await require_manager(Directory(), GUILD, OWNER)

    @pytest.mark.parametrize("permission", [ADMINISTRATOR, MANAGE_GUILD, MANAGE_GUILD | 1])
    async def test_require_manager_accepts_a_member_when_a_role_permits_it(self, permission: int) -> None:
        await require_manager(Directory(role=permission), GUILD, MEMBER)

    async def test_require_manager_accepts_a_member_when_everyone_may_manage(self) -> None:
        await require_manager(Directory(everyone=MANAGE_GUILD), GUILD, MEMBER)

    @pytest.mark.parametrize("permission", [0, 1 << 1, 1 << 4, 1 << 28])
    async def test_require_manager_refuses_a_member_who_has_other_permissions(self, permission: int) -> None:
        with pytest.raises(NotAManager):
            await require_manager(Directory(role=permission), GUILD, MEMBER)

    async def test_require_manager_refuses_a_user_who_is_not_a_member(self) -> None:
        with pytest.raises(NotAManager):
            await require_manager(Directory(everyone=ADMINISTRATOR), GUILD, 3)

    async def test_require_manager_ignores_a_role_that_was_deleted(self) -> None:
        directory = Directory(members={MEMBER: frozenset({99})})
        with pytest.raises(NotAManager):
            await require_manager(directory, GUILD, MEMBER)
