"""The rules of guilds: who sees which, what stands where, and how the bot is added and removed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.rpc import GuildCount
from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import BotSilent, GuildNotFound, NameNotTyped
from bongsu_dashboard.guilds.guild import Guild, ManagedGuild, ManagedGuilds, State
from bongsu_dashboard.guilds.names import is_typed
from bongsu_dashboard.guilds.port import Bot, GuildDirectory

_STATES: Final[Mapping[str, State]] = {"active": "active", "unavailable": "outage", "left": "not_added"}
_ATTENTION: Final = frozenset({"pending", "outage", "unknown"})


@dataclass(frozen=True, slots=True)
class Guilds:
    """The user's guilds. `bot_answers` is False where the bot was silent, and each state is unknown.

    `stale_since`: when Discord told this list, where it does not answer now.
    """

    items: tuple[Guild, ...]
    bot_answers: bool
    stale_since: datetime | None = None

    def shown(self, show: str, query: str) -> tuple[Guild, ...]:
        """Those of a filter whose name holds the words."""
        words = query.casefold().split()
        return tuple(
            guild
            for guild in self.items
            if _is_in(guild, show) and all(word in guild.name.casefold() for word in words)
        )

    def counted(self, filters: Iterable[str]) -> dict[str, int]:
        """How many there are in each filter."""
        return {show: sum(_is_in(guild, show) for guild in self.items) for show in filters}


def _is_in(guild: Guild, show: str) -> bool:
    if show == "attention":
        return guild.state in _ATTENTION
    return show not in ("active", "not_added") or guild.state == show


async def listed(
    directory: GuildDirectory, bot: Bot, browser: Browser, *, pending: frozenset[int], fresh: bool = False
) -> Guilds:
    """Every guild that the user manages; where the bot is first, then by name.

    :param pending: guilds to which the bot was added a moment ago, as far as the browser remembers.
    :param fresh: Discord is asked now, if it answers.
    :raises DiscordNotLinked: the account has no Discord identity.
    """
    managed = await _looked_at(directory, browser, fresh=fresh)
    known = await _known(bot, managed.items)
    items = [_guild(one, known, pending) for one in managed.items]
    items.sort(key=lambda guild: (guild.state == "not_added", guild.name.casefold(), guild.id))
    return Guilds(tuple(items), known is not None, managed.fetched_at if managed.stale else None)


async def _looked_at(directory: GuildDirectory, browser: Browser, *, fresh: bool) -> ManagedGuilds:
    if fresh:
        try:
            return await directory.managed(browser, fresh=True)
        except Unavailable:
            # What was known before will do for looking.
            pass
    return await directory.managed(browser, fresh=False)


async def find(
    directory: GuildDirectory, bot: Bot, browser: Browser, guild_id: int, *, pending: frozenset[int]
) -> Guild:
    """One guild that the user manages, and where the bot stands.

    :raises GuildNotFound: the user does not manage it.
    """
    managed = await require_managed(directory, browser, guild_id, fresh=False)
    return _guild(managed, await _known(bot, [managed]), pending)


async def require_managed(directory: GuildDirectory, browser: Browser, guild_id: int, *, fresh: bool) -> ManagedGuild:
    """One guild that the user manages; `fresh` for whatever changes something.

    :raises GuildNotFound: there is none, or it is another's to manage.
    """
    for guild in (await directory.managed(browser, fresh=fresh)).items:
        if guild.id == guild_id:
            return guild
    raise GuildNotFound


async def remove(  # noqa: PLR0913 - each is one fact about the removal
    directory: GuildDirectory, bot: Bot, browser: Browser, guild_id: int, *, typed: str, key: str
) -> None:
    """Take the bot out of a guild; the same `key` does it once.

    :param typed: what the user typed for the guild's name.
    :raises GuildNotFound: the user does not manage the guild, or no longer.
    :raises NameNotTyped: it is not the guild's name; nothing was done.
    :raises BotSilent: the bot does not answer.
    """
    managed = await require_managed(directory, browser, guild_id, fresh=True)
    if not is_typed(typed, managed.name, guild_id):
        raise NameNotTyped
    assertion = await directory.assertion(browser, method="guild_leave", guild_id=guild_id)
    await bot.leave(guild_id, assertion=assertion, key=key)


async def bot_count(bot: Bot) -> GuildCount | None:
    """How many guilds the bot is in; None where it is silent."""
    try:
        return await bot.count()
    except BotSilent:
        return None


async def _known(bot: Bot, managed: Sequence[ManagedGuild]) -> Mapping[int, GuildSummary] | None:
    if not managed:
        return {} if await bot_count(bot) is not None else None
    try:
        return await bot.guilds([guild.id for guild in managed])
    except BotSilent:
        return None


def _guild(managed: ManagedGuild, known: Mapping[int, GuildSummary] | None, pending: frozenset[int]) -> Guild:
    summary = known.get(managed.id) if known is not None else None
    state: State = "unknown" if known is None else _STATES[summary.status] if summary is not None else "not_added"
    if state == "not_added" and managed.id in pending:
        state = "pending"
    is_in = summary is not None and summary.status != "left"
    return Guild(
        id=managed.id,
        name=managed.name,
        icon=managed.icon,
        owner=managed.owner,
        state=state,
        members=summary.member_count if summary is not None and is_in else None,
        joined_at=summary.joined_at if summary is not None and is_in else None,
    )
