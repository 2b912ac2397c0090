"""Stand-ins for what the dashboard needs of the outside, written by hand, and people to sign in as."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from bongsu.contracts.blocked_guilds import BlockedGuildItem, BlockedGuildList
from bongsu.contracts.guild_commands import CommandState, GuildCommands
from bongsu.contracts.guilds import GuildListItem, GuildSummary
from bongsu.contracts.rpc import (
    MODULES,
    BotPermission,
    BotStatus,
    DelegatedGuilds,
    GuildChannel,
    GuildDetail,
    GuildHistory,
    GuildList,
    GuildModules,
    GuildRole,
    ModuleDelegation,
    ModuleName,
    ModuleState,
    ShardState,
    ShardStatus,
    shard_of,
)
from bongsu.identity.scopes import Role
from bongsu.runtime.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.accounts.port import Cookies, SignInReply
from bongsu_dashboard.accounts.user import Event, EventPage, Identity, Session, User
from bongsu_dashboard.browser import Browser, Redirect, SetCookie
from bongsu_dashboard.errors import (
    AccessOutdated,
    BotNotRemoved,
    BotSilent,
    CommandsOutdated,
    DiscordNotLinked,
    GuildNotFound,
    ModuleOutdated,
    RemovalOutdated,
    RemovalUnknown,
    RoleUnknown,
    ServiceDown,
)
from bongsu_dashboard.guilds.guild import ManagedGuild, ManagedGuilds

MINA = "eyJhbGciOiJFZERTQSJ9.eyJzaWQiOiJtaW5hIiwiYXV0aF90aW1lIjo5OTk5OTk5OTk5fQ.c2lnbmF0dXJl"
"""Mina's access token: its payload is `{"sid":"mina","auth_time":9999999999}`."""
JUN = "eyJhbGciOiJFZERTQSJ9.eyJzaWQiOiJqdW4ifQ.c2lnbmF0dXJl"
PASSWORD = "five-beacons-at-dusk"


SIGNED_IN = (
    SetCookie(f"access-80={MINA}; HttpOnly; Max-Age=900; Path=/; SameSite=lax"),
    SetCookie("refresh-80=refresh; HttpOnly; Max-Age=1209600; Path=/auth; SameSite=lax"),
    SetCookie("device-80=device; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax"),
)


def now() -> datetime:
    return datetime.now(UTC)


def a_user(**facts: object) -> User:
    made: dict[str, object] = {
        "id": uuid4(),
        "email": "mina@example.com",
        "email_verified": True,
        "name": "김봉수",
        "locale": "ko",
        "role": Role.USER,
        "sending": "live",
        "created_at": now() - timedelta(days=41),
    }
    return User.model_validate(made | facts)


def an_event(action: str, *, minutes: int = 3, **facts: object) -> Event:
    made: dict[str, object] = {
        "id": uuid4(),
        "at": now() - timedelta(minutes=minutes),
        "action": action,
        "address": "203.0.113.7",
    }
    return Event.model_validate(made | facts)


def a_session(*, current: bool = False, user_agent: str = "", minutes: int = 3) -> Session:
    return Session(
        id=uuid4(),
        created_at=now() - timedelta(days=2),
        last_used_at=now() - timedelta(minutes=minutes),
        user_agent=user_agent,
        address="203.0.113.7",
        current=current,
    )


@dataclass
class FakeAccounts:
    """Auth's part about accounts. `users` are signed in with the token that is their key."""

    users: dict[str, User] = field(default_factory=lambda: {MINA: a_user()})
    open_sessions: list[Session] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    configured: tuple[str, ...] = ("google", "kakao", "discord")
    linked: list[Identity] = field(default_factory=lambda: [Identity(provider="discord", display_name="bongsu.mina")])
    asks_code: bool = False
    recent: bool = True
    down: bool = False
    raises: ServiceError | None = None
    calls: list[tuple[str, ...]] = field(default_factory=list)
    browsers: list[Browser] = field(default_factory=list)

    def _called(self, browser: Browser, *call: str) -> None:
        self.browsers.append(browser)
        self.calls.append(call)
        if self.down:
            raise ServiceDown("auth")
        if self.raises is not None:
            raise self.raises

    async def me(self, browser: Browser) -> User:
        if self.down:
            raise ServiceDown("auth")
        if (user := self.users.get(browser.access_token or "")) is None:
            raise Unauthorised("The access token is not valid", code="token_refused")
        return user

    async def update(self, browser: Browser, changes: dict[str, str | None]) -> User:
        self._called(browser, "update", *(f"{name}={value}" for name, value in changes.items()))
        user = self.users[browser.access_token or ""].model_copy(update=changes)
        self.users[browser.access_token or ""] = user
        return user

    async def register(self, browser: Browser, *, email: str, password: str, name: str | None) -> Cookies:
        self._called(browser, "register", email, password, name or "")
        return (SetCookie("registration-80=secret; HttpOnly; Max-Age=86400; Path=/; SameSite=lax"),)

    async def resend(self, browser: Browser, email: str) -> None:
        self._called(browser, "resend", email)

    async def verify(self, browser: Browser, token: str, password: str | None) -> Cookies:
        self._called(browser, "verify", token, password or "")
        if password is None and "registration-80" not in browser.cookies:
            raise Invalid("Give the password", code="password_required")
        if token == "used" or password not in (None, PASSWORD):
            raise Invalid("The link does not work", code="verification_refused")
        return ()

    async def sign_in(self, browser: Browser, *, email: str, password: str) -> SignInReply:
        self._called(browser, "sign_in", email)
        if password == "slow-down":
            raise TooMany("Wait", retry_after_s=30)
        if password != PASSWORD:
            raise Unauthorised("The address or the password is wrong", code="login_refused")
        if self.asks_code:
            waiting = SetCookie("mfa-80=waiting; HttpOnly; Max-Age=600; Path=/; SameSite=lax")
            return SignInReply((waiting,), asks_code=True)
        return SignInReply(SIGNED_IN)

    async def sign_out(self, browser: Browser) -> Cookies:
        self._called(browser, "sign_out")
        if browser.access_token not in self.users:
            raise Unauthorised("No session", code="refresh_refused")
        return (SetCookie('access-80=""; Max-Age=0; Path=/'), SetCookie('refresh-80=""; Max-Age=0; Path=/auth'))

    async def sessions(self, browser: Browser) -> list[Session]:
        self._called(browser, "sessions")
        return self.open_sessions

    async def events(self, browser: Browser, *, limit: int, after: UUID | None) -> EventPage:
        self._called(browser, "events")
        at = next((number + 1 for number, event in enumerate(self.history) if event.id == after), 0)
        shown = self.history[at : at + limit]
        return EventPage(items=shown, next=str(shown[-1].id) if len(self.history) > at + limit else None)

    async def end_session(self, browser: Browser, session_id: UUID) -> None:
        self._called(browser, "end_session", str(session_id))
        if session_id not in {session.id for session in self.open_sessions}:
            raise NotFound("There is no such session")

    async def end_other_sessions(self, browser: Browser) -> None:
        self._called(browser, "end_other_sessions")

    async def identities(self, browser: Browser) -> list[Identity]:
        self._called(browser, "identities")
        return self.linked

    async def link(self, browser: Browser, provider: str, next_path: str) -> Redirect:
        self._called(browser, "link", provider, next_path)
        if not self.recent:
            raise Forbidden("Too long ago", code="reauthentication_required")
        return Redirect("https://discord.com/oauth2/authorize?link", (SetCookie("flow-80=f; Path=/auth"),))

    async def unlink(self, browser: Browser, provider: str) -> None:
        self._called(browser, "unlink", provider)
        if not self.recent:
            raise Forbidden("Too long ago", code="reauthentication_required")
        if provider not in {identity.provider for identity in self.linked}:
            raise NotFound("No account of this provider is linked")
        if len(self.linked) == 1 and not self.users[browser.access_token or ""].has_password:
            raise Conflict("The only way to sign in", code="last_sign_in_method")
        self.linked = [identity for identity in self.linked if identity.provider != provider]

    async def providers(self) -> tuple[str, ...]:
        return self.configured


def a_guild(guild_id: int, name: str, *, owner: bool = False, icon: str | None = None) -> ManagedGuild:
    return ManagedGuild(id=guild_id, name=name, owner=owner, icon=icon)


@dataclass
class FakeDirectory:
    """Auth's part about guilds: `managed_by` is the present answer of Discord, `cached` the one of a minute ago."""

    managed_by: dict[str, list[ManagedGuild]] = field(default_factory=dict)
    others_of: dict[str, list[ManagedGuild]] = field(default_factory=dict)
    cached: dict[str, list[ManagedGuild]] = field(default_factory=dict)
    linked: bool = True
    stale: bool = False
    down: bool = False
    installs: list[tuple[int, str]] = field(default_factory=list)
    assertions: list[tuple[str, int]] = field(default_factory=list)
    fresh_calls: int = 0
    raises: ServiceError | None = None
    install_raises: ServiceError | None = None

    async def list_managed(self, browser: Browser, *, fresh: bool) -> ManagedGuilds:
        if self.down:
            raise ServiceDown("auth")
        if not self.linked:
            raise DiscordNotLinked
        if self.raises is not None:
            raise self.raises
        self.fresh_calls += fresh
        token = browser.access_token or ""
        known = self.managed_by if fresh else {**self.managed_by, **self.cached}
        items = tuple(known.get(token, ()))
        others = tuple(self.others_of.get(token, ()))
        return ManagedGuilds(items=items, others=others, fetched_at=now() - timedelta(minutes=12), stale=self.stale)

    async def create_install(self, browser: Browser, guild_id: int, next_path: str) -> Redirect:
        if self.install_raises is not None:
            raise self.install_raises
        managed = await self.list_managed(browser, fresh=True)
        if guild_id not in {guild.id for guild in managed.items}:
            raise GuildNotFound
        self.installs.append((guild_id, next_path))
        url = f"https://discord.com/oauth2/authorize?client_id=1&guild_id={guild_id}&disable_guild_select=true"
        return Redirect(url, (SetCookie("flow-80=f; HttpOnly; Path=/auth; SameSite=lax"),))

    async def create_assertion(self, browser: Browser, *, method: str, guild_id: int) -> str:
        self.assertions.append((method, guild_id))
        return f"{browser.access_token}|{method}|{guild_id}"


def a_summary(guild_id: int, status: str = "active", members: int = 128, name: str = "guild") -> GuildListItem:
    return GuildListItem.model_validate(
        {
            "id": guild_id,
            "name": name,
            "status": status,
            "member_count": members,
            "joined_at": now() - timedelta(days=3),
        }
    )


def a_detail(guild_id: int, *channels: GuildChannel, missing: tuple[BotPermission, ...] = ()) -> GuildDetail:
    found = channels or (GuildChannel(id=guild_id + 1, name="general", missing=missing),)
    return GuildDetail(guild_id=guild_id, missing=missing, channels=found, at=now() - timedelta(minutes=12))


@dataclass
class FakeBot:
    """The bot: `known` are the guilds that it is or was in."""

    known: dict[int, GuildListItem] = field(default_factory=dict)
    silent: bool = False
    forbids: bool = False
    leaves_late: bool = False
    shards: tuple[ShardState, ...] = ("connected", "connected")
    since: datetime = field(default_factory=lambda: now() - timedelta(minutes=12))
    details: dict[int, GuildDetail] = field(default_factory=dict)
    histories: dict[int, GuildHistory] = field(default_factory=dict)
    modules: dict[int, dict[ModuleName, ModuleState]] = field(default_factory=dict)
    delegations: dict[int, ModuleDelegation] = field(default_factory=dict)
    delegates: dict[UUID, set[int]] = field(default_factory=dict)
    delegated_calls: int = 0
    delegated_page: int = 20
    left: list[int] = field(default_factory=list)
    commands_off: dict[int, tuple[str, ...]] = field(default_factory=dict)
    commands_revision: dict[int, int] = field(default_factory=dict)
    blocked: dict[int, BlockedGuildItem] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    async def fetch_status(self, *, counted: bool = True) -> BotStatus:
        if self.silent:
            raise BotSilent
        counts = Counter(shard_of(one.id, len(self.shards)) for one in self.known.values() if one.status != "left")
        shards = [
            ShardStatus(
                shard=shard, state=state, since=self.since, latency_ms=42, guilds=counts[shard] if counted else None
            )
            for shard, state in enumerate(self.shards)
        ]
        return BotStatus(shards=tuple(shards), at=now())

    async def list_guilds(self, ids: Sequence[int]) -> Mapping[int, GuildSummary]:
        if self.silent:
            raise BotSilent
        return {guild_id: self.known[guild_id] for guild_id in ids if guild_id in self.known}

    async def list_all_guilds(self, *, after: int | None, limit: int, search: str | None = None) -> GuildList:
        if self.silent:
            raise BotSilent
        found = [one for key, one in sorted(self.known.items()) if key > (after or 0) and one.status != "left"]
        if search is not None:
            found = [one for one in found if search in one.name or search in (str(one.id), str(one.owner_id))]
        page = found[:limit]
        return GuildList(guilds=tuple(page), next=page[-1].id if len(found) > limit else None)

    async def list_blocked(self, *, after: int | None, limit: int) -> BlockedGuildList:
        if self.silent:
            raise BotSilent
        found = [one for key, one in sorted(self.blocked.items()) if key > (after or 0)]
        page = found[:limit]
        return BlockedGuildList(guilds=tuple(page), next=page[-1].id if len(found) > limit else None)

    async def is_blocked(self, guild_id: int) -> bool:
        if self.silent:
            raise BotSilent
        return guild_id in self.blocked

    async def block_guild(self, guild_id: int, *, reason: str, assertion: str, key: str) -> None:
        self._check_command(assertion, "guild_block", guild_id)
        self.keys.add(key)
        self.blocked.setdefault(guild_id, BlockedGuildItem(id=guild_id, reason=reason, blocked_at=now()))

    async def unblock_guild(self, guild_id: int, *, assertion: str, key: str) -> None:
        self._check_command(assertion, "guild_unblock", guild_id)
        self.keys.add(key)
        self.blocked.pop(guild_id, None)

    def _check_command(self, assertion: str, method: str, guild_id: int) -> None:
        if self.silent:
            raise BotSilent
        if self.forbids:
            raise Forbidden("You need the role administrator", code="forbidden")
        assert assertion.endswith(f"|{method}|{guild_id}")

    async def load_detail(self, guild_id: int) -> GuildDetail | None:
        if self.silent:
            raise BotSilent
        if guild_id not in self.known or self.known[guild_id].status != "active":
            return None
        return self.details.get(guild_id, a_detail(guild_id))

    async def load_history(self, guild_id: int) -> GuildHistory:
        if self.silent:
            raise BotSilent
        return self.histories.get(guild_id, GuildHistory())

    async def load_modules(self, guild_id: int) -> GuildModules:
        if self.silent:
            raise BotSilent
        known = self.modules.get(guild_id, {})
        states = tuple(known.get(name, ModuleState(module=name)) for name in MODULES)
        return GuildModules(guild_id=guild_id, modules=states)

    async def put_module(
        self,
        guild_id: int,
        module: ModuleName,
        *,
        enabled: bool,
        channel_id: int | None,
        revision: int,
        assertion: str,
        key: str,
    ) -> ModuleState:
        if self.silent:
            raise BotSilent
        assert assertion.endswith(f"|module_put|{guild_id}")
        known = self.modules.setdefault(guild_id, {})
        state = known.get(module, ModuleState(module=module))
        if key not in self.keys:
            if revision != state.revision:
                raise ModuleOutdated
            state = ModuleState(module=module, enabled=enabled, channel_id=channel_id, revision=revision + 1)
            self.keys.add(key)
            known[module] = state
        return state

    async def list_delegated(self, user_id: UUID, ids: Sequence[int], *, after: int | None = None) -> DelegatedGuilds:
        self.delegated_calls += 1
        if self.silent:
            raise BotSilent
        found = sorted(one for one in set(ids) & self.delegates.get(user_id, set()) if one > (after or -1))
        page = found[: self.delegated_page]
        return DelegatedGuilds(ids=tuple(page), next=page[-1] if len(found) > len(page) else None)

    async def load_delegation(self, guild_id: int) -> ModuleDelegation:
        if self.silent:
            raise BotSilent
        roles = (GuildRole(id=guild_id + 4, name="도우미"), GuildRole(id=guild_id + 5, name="Artist"))
        return self.delegations.get(guild_id, ModuleDelegation(guild_id=guild_id, roles=roles))

    async def put_delegation(
        self, guild_id: int, *, role_id: int | None, revision: int, assertion: str, key: str
    ) -> ModuleDelegation:
        known = await self.load_delegation(guild_id)
        assert assertion.endswith(f"|delegation_put|{guild_id}")
        if key not in self.keys:
            if revision != known.revision:
                raise AccessOutdated
            if role_id not in {None, *(role.id for role in known.roles)}:
                raise RoleUnknown
            self.keys.add(key)
            known = known.model_copy(update={"role_id": role_id, "revision": revision + 1})
            self.delegations[guild_id] = known
        return known

    async def load_commands(self, guild_id: int) -> GuildCommands:
        if self.silent:
            raise BotSilent
        off = self.commands_off.get(guild_id, ())
        names = ("ping", "users", "users block", "users find")
        return GuildCommands(
            guild_id=guild_id,
            commands=tuple(CommandState(name=name, is_off=name in off) for name in names),
            revision=self.commands_revision.get(guild_id, 0),
        )

    async def put_commands(
        self, guild_id: int, *, off: Sequence[str], revision: int, assertion: str, key: str
    ) -> GuildCommands:
        known = await self.load_commands(guild_id)
        assert assertion.endswith(f"|commands_put|{guild_id}")
        if key not in self.keys:
            if revision != known.revision:
                raise CommandsOutdated
            self.keys.add(key)
            self.commands_off[guild_id], self.commands_revision[guild_id] = tuple(off), revision + 1
        return await self.load_commands(guild_id)

    async def leave_guild(self, guild_id: int, *, assertion: str, key: str, as_administrator: bool = False) -> None:
        if self.silent:
            raise BotNotRemoved
        if self.forbids:
            raise Forbidden("You do not manage this server", code="forbidden")
        if self.leaves_late:
            raise RemovalUnknown
        if key in self.keys and guild_id in self.known:
            raise RemovalOutdated
        assert assertion.endswith(f"|{'guild_expel' if as_administrator else 'guild_leave'}|{guild_id}")
        if key not in self.keys:
            self.keys.add(key)
            self.left.append(guild_id)
            self.known.pop(guild_id, None)
