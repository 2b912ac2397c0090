"""`GET /auth/identities/discord/guilds`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bongsu.identity.models import LinkedAccount
from bongsu.runtime.dependencies import find
from bongsu_auth.guilds.service import STALE_S, UserGuilds
from bongsu_auth.oauth.discord import DiscordBackend
from bongsu_auth.oauth.port import Grant, TokenRejected
from services.auth.tests.providers import Json, Person
from services.auth.tests.stage import Stage

PATH = "/auth/identities/discord/guilds"
DISCORD, TOKEN = "/discord/api/v10/users/@me/guilds", "/discord/api/oauth2/token"


def guild(guild_id: str, name: str = "봉수대", *, owner: bool = False, permissions: int = 0) -> Json:
    return {"id": guild_id, "name": name, "icon": "a_" + "0" * 32, "owner": owner, "permissions": str(permissions)}


@pytest.fixture
def person() -> Person:
    return Person(guilds=[guild("1", owner=True)])


@pytest.fixture
async def browser(stage: Stage, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.browser() as browser:
        await stage.sign_in_with("discord", person, browser=browser)
        yield browser


class Clock:
    """Moves the directory's clock."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(find(stage.app, UserGuilds), "_monotonic", lambda: self.now)


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(stage, monkeypatch)


class TestGuilds:
    async def test_list_marks_manageable_guilds(self, person: Person, browser: httpx.AsyncClient) -> None:
        person.guilds = [
            guild("1", owner=True),
            guild("2", permissions=0x8),
            guild("3", permissions=0x20),
            guild("4", permissions=0x10 | 0x40 | 0x400),
            guild("1234567890123456789", permissions=2**50),
        ]
        answer = await browser.get(PATH)
        body = answer.json()
        assert [(one["id"], one["manageable"]) for one in body["items"]] == [
            ("1", True), ("2", True), ("3", True), ("4", False), ("1234567890123456789", False),
        ]  # fmt: skip
        assert body["items"][0]["icon"] == "a_" + "0" * 32
        assert (body["stale"], body["next"]) == (False, None)

    async def test_malformed_icons_and_names_are_replaced(self, person: Person, browser: httpx.AsyncClient) -> None:
        person.guilds = [{**guild("1", "<img onerror=x>\u202e\x00"), "icon": "../../x"}, {**guild("2"), "icon": None}]
        items = (await browser.get(PATH)).json()["items"]
        assert [(one["icon"], one["name"]) for one in items] == [(None, "<img onerror=x>"), (None, "봉수대")]

    async def test_list_is_cached_for_a_minute(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient, clock: Clock
    ) -> None:
        await browser.get(PATH)
        person.guilds = []
        clock.now += 59
        assert len((await browser.get(PATH)).json()["items"]) == 1
        assert stage.providers.calls[DISCORD] == 1
        clock.now += 2
        assert (await browser.get(PATH)).json()["items"] == []
        assert stage.providers.calls[DISCORD] == 2

    async def test_fresh_list_is_fetched_now(self, stage: Stage, person: Person, browser: httpx.AsyncClient) -> None:
        await browser.get(PATH)
        person.guilds = []
        assert (await browser.get(f"{PATH}?fresh=true")).json()["items"] == []
        assert (await browser.get(PATH)).json()["items"] == []
        assert stage.providers.calls[DISCORD] == 2

    async def test_fifty_concurrent_requests_fetch_once(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(*(browser.get(PATH) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert stage.providers.calls[DISCORD] == 1

    async def test_user_does_not_see_guilds_of_another(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        await browser.get(PATH)
        async with stage.browser() as other:
            await stage.sign_in_with("discord", Person(guilds=[guild("9")]), browser=other)
            assert [one["id"] for one in (await other.get(PATH)).json()["items"]] == ["9"]

    async def test_user_without_discord_needs_to_link_it(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.get(PATH, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "discord_not_linked")

    async def test_user_without_the_scope_needs_to_link_again(self, browser: httpx.AsyncClient) -> None:
        await (await LinkedAccount.filter_by().one()).update(scopes="identify email")
        answer = await browser.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (409, "discord_relink_needed")


class TestRateLimit:
    async def test_no_request_is_made_while_discord_throttles(
        self, stage: Stage, browser: httpx.AsyncClient, clock: Clock
    ) -> None:
        stage.providers.fail(DISCORD, 429, {"message": "…", "retry_after": 12.5, "global": False})
        for _ in range(3):
            answer = await browser.get(PATH)
            assert (answer.status_code, answer.json()["code"]) == (503, "discord_unavailable")
            assert answer.headers["retry-after"] == "12"
        assert stage.providers.calls[DISCORD] == 1
        stage.providers.faults.clear()
        clock.now += 13
        assert (await browser.get(PATH)).status_code == 200

    async def test_malformed_wait_counts_as_no_wait(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        stage.providers.faults[DISCORD] = lambda _: httpx.Response(429, content=b'{"retry_after": NaN}')
        answer = await browser.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (503, "discord_unavailable")

    async def test_global_limit_holds_for_every_user(
        self, stage: Stage, browser: httpx.AsyncClient, clock: Clock
    ) -> None:
        stage.providers.fail(DISCORD, 429, {"retry_after": 30}, {"x-ratelimit-global": "true"})
        await browser.get(PATH)
        async with stage.browser() as other:
            await stage.sign_in_with("discord", Person(), browser=other)
            assert (await other.get(PATH)).status_code == 503
        assert stage.providers.calls[DISCORD] == 1
        del clock

    @pytest.mark.parametrize("status", [500, 503, 429, 403])
    async def test_cached_list_is_shown_as_stale_but_authorises_nothing(
        self, stage: Stage, browser: httpx.AsyncClient, clock: Clock, status: int
    ) -> None:
        await browser.get(PATH)
        stage.providers.fail(DISCORD, status)
        clock.now += 120
        answer = await browser.get(PATH)
        fresh = await browser.get(f"{PATH}?fresh=true")
        assert fresh.status_code == 503
        if status == 403:  # a refusal is permanent
            assert answer.status_code == 503
            return
        assert (answer.status_code, answer.json()["stale"], len(answer.json()["items"])) == (200, True, 1)
        clock.now += STALE_S
        assert (await browser.get(PATH)).status_code == 503


class TestGrant:
    async def test_refused_token_is_renewed_once(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        [session] = stage.providers.sessions
        session.access_token = "revoked"
        assert (await browser.get(PATH)).status_code == 200
        assert (stage.providers.calls[DISCORD], stage.providers.calls[TOKEN]) == (2, 2)
        # The new tokens are stored.
        assert (await browser.get(f"{PATH}?fresh=true")).status_code == 200
        assert stage.providers.calls[TOKEN] == 2

    async def test_expiring_token_is_renewed_before_its_use(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        linked = await LinkedAccount.filter_by().one()
        await linked.update(token_expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert (await browser.get(PATH)).status_code == 200
        assert stage.providers.calls[DISCORD] == 1

    async def test_lost_grant_is_reported_and_not_tried_again(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient
    ) -> None:
        stage.providers.sessions.clear()
        for _ in range(3):
            answer = await browser.get(PATH)
            assert (answer.status_code, answer.json()["code"]) == (409, "discord_relink_needed")
        assert stage.providers.calls[DISCORD] == 1
        # A new sign-in restores the grant.
        await stage.sign_in_with("discord", person, browser=browser)
        assert (await browser.get(PATH)).status_code == 200

    async def test_grant_is_lost_when_the_renewed_token_is_refused(
        self, stage: Stage, browser: httpx.AsyncClient
    ) -> None:
        stage.providers.fail(DISCORD, 401)
        answer = await browser.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (409, "discord_relink_needed")
        assert stage.providers.calls[DISCORD] == 2

    async def test_grant_is_kept_when_its_renewal_fails(
        self, stage: Stage, browser: httpx.AsyncClient, clock: Clock
    ) -> None:
        [session] = stage.providers.sessions
        session.access_token = "revoked"
        stage.providers.fail(TOKEN, 500)
        assert (await browser.get(PATH)).status_code == 503
        stage.providers.faults.clear()
        clock.now += 60
        assert (await browser.get(PATH)).status_code == 200

    async def test_tokens_of_a_faster_replica_are_used(self, stage: Stage, browser: httpx.AsyncClient) -> None:
        """Two replicas use the same refresh token, which works for one of them."""
        linked = await LinkedAccount.filter_by().one()
        discord = stage.backends.find("discord")
        [session] = stage.providers.sessions
        session.access_token = "revoked"
        used = []

        async def call(token: str) -> str:
            used.append(token)
            if len(used) == 1:
                # The other replica gets the same refusal at this moment, and renews the token.
                await stage.grants.use(linked, discord, call)
                raise TokenRejected("revoked")
            if token == used[0]:
                raise TokenRejected("revoked")
            return token

        newest = await stage.grants.use(linked, discord, call)
        assert newest == stage.providers.sessions[0].access_token
        assert stage.providers.calls[TOKEN] == 2
        del browser

    async def test_grant_is_kept_when_another_replica_used_the_refresh_token(
        self, stage: Stage, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [session] = stage.providers.sessions
        session.access_token = "revoked"
        discord = stage.backends.find("discord")
        assert isinstance(discord, DiscordBackend)
        genuine = discord.renew

        async def renew(refresh_token: str) -> Grant:
            """We are slow. The other replica renews first, and Discord then refuses our refresh token."""
            monkeypatch.setattr(discord, "renew", genuine)
            linked = await LinkedAccount.filter_by().one()
            await linked.update(token_renewal_until=datetime.now(UTC))  # our turn ran out
            await stage.grants.use(linked, discord, discord.list_guilds)
            return await genuine(refresh_token)

        monkeypatch.setattr(discord, "renew", renew)
        assert (await browser.get(PATH)).status_code == 200
        assert (await LinkedAccount.filter_by().one()).sealed_access_token is not None
