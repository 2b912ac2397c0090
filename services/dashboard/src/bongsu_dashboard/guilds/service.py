"""The rules about guilds: which of them a user sees, the bot's state in each, and adding and removing the bot."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from bongsu.contracts.guilds import GuildSummary
from bongsu.contracts.rpc import DelegatedGuilds, GuildChannel, GuildDetail
from bongsu.runtime.background import together
from bongsu.runtime.errors import Unavailable
from bongsu_dashboard.browser import Browser, Redirect
from bongsu_dashboard.errors import BotCutOff, GuildBlocked, GuildNotFound, NameNotTyped
from bongsu_dashboard.guilds.bot_health import BotHealth, unless_silent
from bongsu_dashboard.guilds.guild import Guild, ManagedGuild, ManagedGuilds, State
from bongsu_dashboard.guilds.names import is_typed
from bongsu_dashboard.guilds.port import Bot, GuildDirectory
from bongsu_dashboard.notifications.port import NotifyClient
from bongsu_dashboard.notifications.service import Summary, load_summary

_ATTENTION: Final = frozenset({"pending", "outage", "unknown"})


@dataclass(frozen=True, slots=True)
class GuildList:
    """The guilds that a user manages, with the health of the bot from which their states are read.

    `stale_since`: when Discord returned this list, if Discord does not answer now.
    """

    items: tuple[Guild, ...]
    bot: BotHealth
    stale_since: datetime | None = None

    def search(self, show: str, query: str) -> tuple[Guild, ...]:
        """Return the guilds of a filter whose names contain all words."""
        words = query.casefold().split()
        return tuple(
            guild
            for guild in self.items
            if _matches(guild, show) and all(word in guild.name.casefold() for word in words)
        )

    def count_by_filter(self, filters: Iterable[str]) -> dict[str, int]:
        """Count the guilds of each filter."""
        return {show: sum(_matches(guild, show) for guild in self.items) for show in filters}


@dataclass(frozen=True, slots=True)
class GuildOverview:
    """The page of the guilds. `summary` is None while notify does not answer.

    `delegated` are guilds that the user does not manage, but whose modules; `delegated_next`, after which more follow.
    """

    guilds: GuildList
    summary: Summary | None
    delegated: tuple[ManagedGuild, ...] = ()
    delegated_next: int | None = None


@dataclass(frozen=True, slots=True)
class GuildPage:
    """A guild, the health of the bot, and what the bot may do in it: None while that is not known.

    `is_manager`: whether the user manages the guild; else the user manages its modules only.
    """

    guild: Guild
    bot: BotHealth
    detail: GuildDetail | None = None
    is_manager: bool = True

    @property
    def channels(self) -> tuple[GuildChannel, ...]:
        """The text channels: those in which the bot lacks a permission first."""
        found = self.detail.channels if self.detail is not None else ()
        return tuple(sorted(found, key=lambda channel: not channel.missing))

    @property
    def writable(self) -> tuple[GuildChannel, ...]:
        """The channels in which the bot may write."""
        return tuple(channel for channel in self.channels if not channel.missing)

    @property
    def channels_missing(self) -> int:
        """The number of channels in which the bot lacks a permission."""
        return sum(bool(channel.missing) for channel in self.channels)


class Guilds:
    """Combines what Discord says of the user (by way of auth) with what the bot says of the guilds.

    `pending` are guilds to which the browser added the bot a moment ago.
    """

    def __init__(self, directory: GuildDirectory, bot: Bot, notify: NotifyClient) -> None:
        self._directory = directory
        self._bot = bot
        self._notify = notify

    async def load_overview(
        self,
        browser: Browser,
        user_id: UUID | None,
        *,
        pending: frozenset[int],
        fresh: bool,
        delegated_after: int | None = None,
    ) -> GuildOverview:
        """Load every part at the same time.

        :param user_id: whose delegated guilds are listed, for which the bot asks Discord; None for a fragment.
        :raises DiscordNotLinked: the account has no Discord identity.
        """

        async def load_guilds() -> tuple[GuildList, DelegatedGuilds, Sequence[ManagedGuild]]:
            managed = await self._load_managed(browser, fresh=fresh)
            listed = self._list_delegated(managed.others, user_id, delegated_after)
            return *await together(self._list(managed, pending), listed), managed.others

        (found, delegated, others), summary = await together(
            load_guilds(), load_summary(self._notify, browser, datetime.now(UTC))
        )
        named = tuple(guild for guild in others if guild.id in delegated.ids)
        return GuildOverview(found, summary, named, delegated.next)

    async def list_managed(self, browser: Browser, *, pending: frozenset[int], fresh: bool = False) -> GuildList:
        """List the guilds that the user manages: trouble first, then those with the bot, then by name.

        :param fresh: ask Discord now, if it answers.
        :raises DiscordNotLinked: the account has no Discord identity.
        """
        return await self._list(await self._load_managed(browser, fresh=fresh), pending)

    async def _list(self, managed: ManagedGuilds, pending: frozenset[int]) -> GuildList:
        known, bot = await together(
            unless_silent(self._bot.list_guilds([one.id for one in managed.items])), self.check_bot()
        )
        items = [_combine(one, known, bot, pending) for one in managed.items]
        items.sort(
            key=lambda guild: (
                guild.state not in _ATTENTION,
                guild.state == "not_added",
                guild.name.casefold(),
                guild.id,
            )
        )
        return GuildList(tuple(items), bot, managed.fetched_at if managed.stale else None)

    async def find(self, browser: Browser, guild_id: int, *, pending: frozenset[int]) -> tuple[Guild, BotHealth]:
        """Return a guild that the user manages, and the health of the bot.

        :raises GuildNotFound: the user does not manage it.
        """
        managed, known, bot = await together(
            self._require_managed(browser, guild_id, fresh=False),
            unless_silent(self._bot.list_guilds([guild_id])),
            self.check_bot(counted=False),
        )
        return _combine(managed, known, bot, pending), bot

    async def load_page(
        self, browser: Browser, guild_id: int, *, pending: frozenset[int], fresh: bool = False
    ) -> GuildPage:
        """Return a guild that the user manages, with what the bot may do in it.

        :param fresh: ask Discord whether the user manages it, not a cache.
        :raises GuildNotFound: the user does not manage it.
        """
        # The bot is asked meanwhile: its answers are dropped where the user does not manage the guild.
        managed, answers = await together(
            self._require_managed(browser, guild_id, fresh=fresh), self._ask_bot(guild_id)
        )
        return _build_page(managed, answers, pending)

    async def load_page_of_modules(
        self, browser: Browser, user_id: UUID, guild_id: int, *, fresh: bool = False
    ) -> GuildPage:
        """Return a guild that the user manages, or whose modules, as `load_page` does.

        The bot asks Discord each time whether a user who does not manage the guild has the role for its modules.

        :raises GuildNotFound: the user may not manage its modules.
        """
        try:
            return await self.load_page(browser, guild_id, pending=frozenset(), fresh=fresh)
        except GuildNotFound:
            others = await self._directory.list_managed(browser, fresh=False)
            guild = next((one for one in others.others if one.id == guild_id), None)
            if guild is None or guild_id not in (await self._bot.list_delegated(user_id, [guild_id])).ids:
                raise
        return _build_page(guild, await self._ask_bot(guild_id), frozenset(), is_manager=False)

    async def start_install(self, browser: Browser, guild_id: int, *, next_path: str) -> Redirect:
        """Return the redirect to Discord that adds the bot to a guild.

        :raises BotCutOff: the bot is not connected, so it could not say that it was added.
        :raises GuildBlocked: the guild is on the block list.
        :raises GuildNotFound: the user does not manage it, as auth finds out from Discord now.
        """
        if not (await self.check_bot(counted=False)).is_connected(guild_id):
            raise BotCutOff
        if await self._bot.is_blocked(guild_id):
            raise GuildBlocked
        return await self._directory.create_install(browser, guild_id, next_path)

    async def remove(self, browser: Browser, guild_id: int, *, typed: str, key: str) -> None:
        """Remove the bot from a guild, once for each `key`.

        :param typed: the text that the user typed for the guild's name.
        :raises GuildNotFound: the user does not manage the guild now.
        :raises NameNotTyped: the text is not the guild's name.
        :raises RemovalOutdated: the key removed the bot before, and the bot has been added again since.
        :raises RemovalUnknown: no answer came in time; the bot may have left.
        :raises BotSilent: the bot does not answer, and has not left.
        """
        managed = await self._require_managed(browser, guild_id, fresh=True)
        if not is_typed(typed, managed.name, guild_id):
            raise NameNotTyped
        assertion = await self._directory.create_assertion(browser, method="guild_leave", guild_id=guild_id)
        await self._bot.leave_guild(guild_id, assertion=assertion, key=key)

    async def check_bot(self, *, counted: bool = True) -> BotHealth:
        """Ask the bot for its health, with or without the number of its guilds."""
        return BotHealth(await unless_silent(self._bot.fetch_status(counted=counted)))

    async def _load_managed(self, browser: Browser, *, fresh: bool) -> ManagedGuilds:
        if fresh:
            try:
                return await self._directory.list_managed(browser, fresh=True)
            except Unavailable:
                # For a page, the cached list is good enough.
                pass
        return await self._directory.list_managed(browser, fresh=False)

    async def _list_delegated(
        self, others: Sequence[ManagedGuild], user_id: UUID | None, after: int | None
    ) -> DelegatedGuilds:
        """Return a page of those of the guilds whose modules the user manages; none while the bot does not answer."""
        if user_id is None:
            return DelegatedGuilds()
        found = await unless_silent(self._bot.list_delegated(user_id, [guild.id for guild in others], after=after))
        return found if found is not None else DelegatedGuilds()

    async def _ask_bot(self, guild_id: int) -> "_Answers":
        return _Answers(
            *await together(
                unless_silent(self._bot.list_guilds([guild_id])),
                self.check_bot(counted=False),
                unless_silent(self._bot.load_detail(guild_id)),
            )
        )

    async def _require_managed(self, browser: Browser, guild_id: int, *, fresh: bool) -> ManagedGuild:
        for guild in (await self._directory.list_managed(browser, fresh=fresh)).items:
            if guild.id == guild_id:
                return guild
        raise GuildNotFound


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the bot answered about a guild; None where it did not."""

    known: Mapping[int, GuildSummary] | None
    bot: BotHealth
    detail: GuildDetail | None


def _build_page(
    managed: ManagedGuild, answers: _Answers, pending: frozenset[int], *, is_manager: bool = True
) -> GuildPage:
    guild = _combine(managed, answers.known, answers.bot, pending)
    return GuildPage(guild, answers.bot, answers.detail if guild.has_bot else None, is_manager=is_manager)


def _matches(guild: Guild, show: str) -> bool:
    if show == "attention":
        return guild.state in _ATTENTION
    return show not in ("active", "not_added") or guild.state == show


def _combine(
    managed: ManagedGuild, known: Mapping[int, GuildSummary] | None, bot: BotHealth, pending: frozenset[int]
) -> Guild:
    connected = bot.is_connected(managed.id)
    facts = {**managed.model_dump(), "connected": connected}
    if known is None or bot.connection == "silent":
        return Guild(**facts, state="unknown")
    summary = known.get(managed.id)
    state: State
    if summary is None or summary.status == "left":
        # A bot that is not connected does not know whether it was added since.
        state = "pending" if managed.id in pending else "not_added" if connected else "unknown"
        return Guild(**facts, state=state)
    state = "active" if summary.status == "active" and connected else "outage"
    return Guild(**facts, state=state, members=summary.member_count, joined_at=summary.joined_at)
