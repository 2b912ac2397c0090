"""The personas of Discord's stand-in, and their guilds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bongsu_sandbox.discord.guilds.models import (
    ADMINISTRATOR,
    EVERYONE,
    MANAGE_GUILD,
    Channel,
    Guild,
    Member,
    Role,
)
from bongsu_sandbox.discord.users.models import User
from bongsu_sandbox.people import PEOPLE

MINJI: Final = 200000000000000001
JAMES: Final = 200000000000000002
SEOJUN: Final = 200000000000000003
EMMA: Final = 200000000000000004
HANEUL: Final = 200000000000000005

# A guild's shard is a part of its id: these lie in turn on the two shards of a bot that has two.
BEACON_HILL: Final = 300000000002228224
SEOUL_DEVELOPERS: Final = 300000000006422528
NIGHT_MARKET: Final = 300000000010616832
READING_ROOM: Final = 300000000014811136
EMMAS_GARDEN: Final = 300000000019005440

PERSONAS: Final = tuple(
    User(
        id=MINJI - 1 + person.number,
        username=person.username,
        global_name=person.name,
        email=person.email,
        verified=person.verified,
        locale=person.locale,
    )
    for person in PEOPLE
)

_SINCE = datetime(2024, 5, 3, 3, 0, tzinfo=UTC)


@dataclass(frozen=True)
class _Seed:
    id: int
    name: str
    owner_id: int
    locale: str = "en-US"
    administrators: tuple[int, ...] = ()
    managers: tuple[int, ...] = ()
    members: tuple[int, ...] = ()
    helpers: tuple[int, ...] = ()
    others: int = 0


_SEEDS = (
    _Seed(BEACON_HILL, "봉수대", owner_id=MINJI, locale="ko", members=(HANEUL, SEOJUN), others=21),
    _Seed(
        SEOUL_DEVELOPERS,
        "서울 개발자 모임",
        owner_id=HANEUL,
        locale="ko",
        administrators=(MINJI,),
        members=(JAMES,),
        helpers=(SEOJUN,),
        others=1284,
    ),
    _Seed(NIGHT_MARKET, "Night Market", owner_id=JAMES, managers=(MINJI,), members=(EMMA,), others=87),
    _Seed(READING_ROOM, "Reading Room", owner_id=JAMES, members=(MINJI, HANEUL), others=12),
    _Seed(EMMAS_GARDEN, "Emma's Garden", owner_id=EMMA, members=(JAMES,), others=3),
)

BOT_STARTS_IN: Final = (SEOUL_DEVELOPERS,)


def build_guilds() -> list[Guild]:
    return [_guild(seed) for seed in _SEEDS]


def _guild(seed: _Seed) -> Guild:
    administrator = Role(id=seed.id + 1, name="Administrator", permissions=EVERYONE | ADMINISTRATOR, position=2)
    manager = Role(id=seed.id + 2, name="Manager", permissions=EVERYONE | MANAGE_GUILD, position=1)
    helper_name = "도우미" if seed.locale == "ko" else "Helper"
    helper = Role(id=seed.id + 4, name=helper_name, permissions=EVERYONE, position=1)
    everyone = Role(id=seed.id, name="@everyone", permissions=EVERYONE)
    roles_of: dict[int, list[int]] = {seed.owner_id: []}
    roles_of |= {user: [administrator.id] for user in seed.administrators}
    roles_of |= {user: [manager.id] for user in seed.managers}
    roles_of |= {user: [] for user in seed.members}
    roles_of |= {user: [helper.id] for user in seed.helpers}
    names = ("공지", "일반") if seed.locale == "ko" else ("announcements", "general")
    channels = [
        Channel(id=seed.id + 11 + place, guild_id=seed.id, name=name, position=place)
        for place, name in enumerate(names)
    ]
    return Guild(
        id=seed.id,
        name=seed.name,
        owner_id=seed.owner_id,
        preferred_locale=seed.locale,
        others=seed.others,
        roles={role.id: role for role in (everyone, administrator, manager, helper)},
        channels={channel.id: channel for channel in channels},
        members={user: Member(user_id=user, roles=roles, joined_at=_SINCE) for user, roles in roles_of.items()},
    )
