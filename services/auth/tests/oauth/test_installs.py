"""Adding the bot to a guild: `POST /auth/discord/installs` and its callback."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from bongsu.contracts.guilds import GuildInstalled
from bongsu.contracts.queues import BOT_GUILDS_INSTALLED
from bongsu.identity.models import AuditEntry, LinkedAccount
from bongsu.outbox.models import OutboxMessage
from services.auth.tests.providers import CLIENT_ID, Person
from services.auth.tests.stage import Stage, bearer, error_fields

PATH = "/auth/discord/installs"
MINE, OTHERS = "300000000002228224", "300000000006422528"


@pytest.fixture
def person() -> Person:
    return Person(
        guilds=[
            {"id": MINE, "name": "봉수대", "owner": True, "permissions": "0"},
            {"id": OTHERS, "name": "Reading Room", "owner": False, "permissions": "1024"},
        ]
    )


@pytest.fixture
async def browser(stage: Stage, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.browser() as browser:
        await stage.sign_in_with("discord", person, browser=browser)
        yield browser


async def begun(browser: httpx.AsyncClient, guild_id: str = MINE) -> str:
    answer = await browser.post(PATH, json={"guild_id": guild_id, "next": f"/guilds/{guild_id}"})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["authorization_url"]
    return url


class TestBegin:
    async def test_authorization_url_is_exact(self, browser: httpx.AsyncClient) -> None:
        address = urlsplit(await begun(browser))
        query = dict(parse_qsl(address.query))
        assert address.path == "/discord/oauth2/authorize"
        assert {name: query[name] for name in query if name not in ("state", "code_challenge")} == {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": "http://localhost:8000/auth/oauth/discord/callback",
            "scope": "bot applications.commands identify",
            "code_challenge_method": "S256",
            "permissions": "84992",
            "guild_id": MINE,
            "disable_guild_select": "true",
        }

    @pytest.mark.parametrize("guild_id", [OTHERS, "1"])
    async def test_guild_that_the_caller_does_not_manage_is_404(
        self, browser: httpx.AsyncClient, guild_id: str
    ) -> None:
        answer = await browser.post(PATH, json={"guild_id": guild_id, "next": "/"})
        assert (answer.status_code, answer.json()["code"]) == (404, "guild_not_found")

    async def test_cached_guilds_authorise_nothing(self, person: Person, browser: httpx.AsyncClient) -> None:
        await browser.get("/auth/identities/discord/guilds")
        person.guilds = []
        assert (await browser.post(PATH, json={"guild_id": MINE, "next": "/"})).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"guild_id": "x", "next": "/"}, "body.guild_id"),
            ({"guild_id": 300000000002228224, "next": "/"}, "body.guild_id"),
            ({"next": "/"}, "body.guild_id"),
            ({"guild_id": MINE, "next": "https://evil.example"}, "body.next"),
            ({"guild_id": MINE, "next": "/", "permissions": "8"}, "body.permissions"),
        ],
    )
    async def test_bad_field_is_named(self, browser: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
        answer = await browser.post(PATH, json=body)
        assert (answer.status_code, error_fields(answer)) == (422, [field])

    async def test_user_without_discord_needs_to_link_it(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.post(PATH, json={"guild_id": MINE, "next": "/"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "discord_not_linked")

    async def test_request_from_another_site_is_refused(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.post(PATH, json={"guild_id": MINE}, headers={"sec-fetch-site": "cross-site"})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


class TestCallback:
    async def test_added_bot_is_recorded(self, stage: Stage, person: Person, browser: httpx.AsyncClient) -> None:
        before = (await LinkedAccount.filter_by().one()).sealed_access_token
        callback = stage.providers.allow(await begun(browser), person, guild={"id": MINE, "name": "봉수대"})
        answer = await browser.get(callback)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/guilds/{MINE}?installed={MINE}")
        entries = await AuditEntry.filter_by(action__in=["discord.install_begun", "discord.bot_added"]).all()
        assert {entry.target for entry in entries} == {f"guild:{MINE}"}
        assert len(entries) == 2
        [row] = await OutboxMessage.filter_by(queue=BOT_GUILDS_INSTALLED).all()
        event = GuildInstalled.model_validate(row.body)
        assert (event.guild_id, event.user_id) == (int(MINE), (await LinkedAccount.filter_by().one()).user_id)
        # The grant for signing in stays as it was.
        assert (await LinkedAccount.filter_by().one()).sealed_access_token == before
        assert stage.providers.calls["/discord/api/oauth2/token/revoke"] == 0

    async def test_guild_in_the_callback_is_ignored(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient
    ) -> None:
        callback = stage.providers.allow(await begun(browser), person, guild={"id": MINE, "name": "봉수대"})
        address = urlsplit(callback)
        query = urlencode({**dict(parse_qsl(address.query)), "guild_id": OTHERS, "permissions": "8"})
        answer = await browser.get(f"{address.path}?{query}")
        assert answer.headers["location"] == f"/guilds/{MINE}?installed={MINE}"

    async def test_response_without_a_guild_is_an_error(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient
    ) -> None:
        answer = await browser.get(stage.providers.allow(await begun(browser), person))
        assert answer.headers["location"] == f"/guilds/{MINE}?error=provider_error"
        assert await AuditEntry.filter_by(action="discord.bot_added").count() == 0

    async def test_denied_flow_returns_to_next_with_an_error(self, browser: httpx.AsyncClient) -> None:
        state = dict(parse_qsl(urlsplit(await begun(browser)).query))["state"]
        query = {"error": "access_denied", "state": state}
        answer = await browser.get("/auth/oauth/discord/callback", params=query)
        assert answer.headers["location"] == f"/guilds/{MINE}?error=denied"

    async def test_callback_opens_no_session_and_works_once(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient
    ) -> None:
        callback = stage.providers.allow(await begun(browser), person, guild={"id": MINE, "name": "x"})
        async with stage.browser() as other:
            assert (await other.get(callback)).status_code == 400
        answer = await browser.get(callback)
        assert not [cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith("access-")]
        assert (await browser.get(callback)).status_code == 400

    async def test_flow_started_by_the_dashboard_needs_no_flow_cookie(
        self, stage: Stage, person: Person, browser: httpx.AsyncClient
    ) -> None:
        headers = bearer(browser.cookies["access-8000"])
        async with stage.browser() as dashboard:
            answer = await dashboard.post(PATH, json={"guild_id": MINE, "next": "/x"}, headers=headers)
        url = answer.json()["authorization_url"]
        callback = stage.providers.allow(url, person, guild={"id": MINE, "name": "x"})
        assert (await browser.get(callback)).headers["location"] == f"/x?installed={MINE}"
