"""Signing in with the sandbox's Discord, Google and Kakao, which `make up` uses."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from bongsu.identity.models import LinkedAccount
from bongsu.runtime.settings import PlatformSettings
from bongsu_auth.settings import AuthSettings
from bongsu_sandbox.app import create_app
from bongsu_sandbox.settings import SandboxSettings
from services.auth.tests.stage import URL, Stage

MINJI, JAMES = "200000000000000001", "200000000000000002"
PERSONAS = {"discord": (MINJI, JAMES), "google": ("1", "2"), "kakao": ("1", "2")}
EACH_PROVIDER = pytest.mark.parametrize("provider", PERSONAS)
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": URL}


@pytest.fixture
def settings() -> AuthSettings:
    return AuthSettings().with_stand_ins(URL, public_url=URL)


@pytest.fixture
async def sandbox(stage: Stage, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the sandbox, to which auth sends its requests too."""
    app = create_app(SandboxSettings(data_dir=tmp_path / "sandbox"), PlatformSettings())
    transport = httpx.ASGITransport(app)
    stage.backends.find("discord")._http._transport = transport  # all three share it
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def decided(sandbox: httpx.AsyncClient, authorization_url: str, persona: str, decision: str = "allow") -> str:
    """A person decides on the consent page. Returns the callback URL."""
    address = urlsplit(authorization_url)
    shown = await sandbox.get(f"{address.path}?{address.query}")
    assert shown.status_code == 200, shown.text
    answer = await sandbox.post(
        f"{address.path}?{address.query}", data={"persona": persona, "decision": decision}, headers=FORM
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def signed_in(sandbox: httpx.AsyncClient, browser: httpx.AsyncClient, provider: str = "discord") -> None:
    begun = await browser.get(f"/auth/oauth/{provider}/authorize?next=/guilds")
    answer = await browser.get(await decided(sandbox, begun.headers["location"], PERSONAS[provider][0]))
    assert (answer.status_code, answer.headers["location"]) == (303, "/guilds")


async def set_fault(sandbox: httpx.AsyncClient, provider: str, kind: str, detail: str | None = None) -> None:
    fault = {"target": provider, "kind": kind, "rate": 1, "duration_s": 60}
    answer = await sandbox.post("/sandbox/faults", json=fault | ({"detail": detail} if detail else {}))
    assert answer.status_code < 300, answer.text


class TestEachProvider:
    async def test_all_three_are_offered(self, stage: Stage) -> None:
        names = [one["name"] for one in (await stage.client.get("/auth/providers")).json()["items"]]
        assert names == ["discord", "google", "kakao"]

    async def test_one_person_is_one_account_with_the_whole_profile(
        self, stage: Stage, sandbox: httpx.AsyncClient
    ) -> None:
        seen = []
        for provider in PERSONAS:
            async with stage.browser() as browser:
                await signed_in(sandbox, browser, provider)
                seen.append((await browser.get("/auth/me")).json())
        assert len({me["id"] for me in seen}) == 1
        assert (seen[-1]["email"], seen[-1]["name"]) == ("minji.kim@example.com", "김민지")
        profile = {name: seen[-1][name] for name in ("gender", "birth_year", "birthday", "phone_number", "nickname")}
        assert profile == {
            "gender": "female",
            "birth_year": 1994,
            "birthday": "05-03",
            "phone_number": "+821012345678",
            "nickname": "minji.kim",
        }
        assert seen[-1]["age_range"] is not None

    @EACH_PROVIDER
    async def test_odd_optional_members_do_not_fail_a_sign_in(
        self, stage: Stage, sandbox: httpx.AsyncClient, provider: str
    ) -> None:
        await set_fault(sandbox, provider, "odd_fields")
        async with stage.browser() as browser:
            await signed_in(sandbox, browser, provider)
            assert (await browser.get("/auth/me")).status_code == 200

    @EACH_PROVIDER
    async def test_denied_sign_in_gets_a_page(self, stage: Stage, sandbox: httpx.AsyncClient, provider: str) -> None:
        async with stage.browser() as browser:
            begun = await browser.get(f"/auth/oauth/{provider}/authorize")
            callback = await decided(sandbox, begun.headers["location"], PERSONAS[provider][1], "deny")
            assert (await browser.get(callback)).headers["location"] == "/login?error=denied"

    @EACH_PROVIDER
    @pytest.mark.parametrize(
        ("kind", "detail", "code"),
        [
            ("error", "500", "provider_unavailable"),
            ("unavailable", None, "provider_unavailable"),
            ("throttle", "2", "provider_unavailable"),
            ("no_via", "2", "provider_unavailable"),
            ("missing_fields", None, "provider_error"),
        ],
    )
    async def test_faults_are_a_clean_result(  # noqa: PLR0917 - the fault and its result
        self, stage: Stage, sandbox: httpx.AsyncClient, provider: str, kind: str, detail: str | None, code: str
    ) -> None:
        async with stage.browser() as browser:
            begun = await browser.get(f"/auth/oauth/{provider}/authorize")
            await set_fault(sandbox, provider, kind, detail)
            callback = await decided(sandbox, begun.headers["location"], PERSONAS[provider][0])
            assert (await browser.get(callback)).headers["location"] == f"/login?error={code}"
        assert await LinkedAccount.row_count() == 0

    @EACH_PROVIDER
    async def test_huge_tokens_are_stored(self, stage: Stage, sandbox: httpx.AsyncClient, provider: str) -> None:
        await set_fault(sandbox, provider, "huge_token")
        async with stage.browser() as browser:
            await signed_in(sandbox, browser, provider)
        token = stage.grants.access_token(await LinkedAccount.filter_by().one())
        assert token is not None
        assert len(token) == 8192


class TestDiscord:
    async def test_sign_in_guilds_and_adding_the_bot(self, stage: Stage, sandbox: httpx.AsyncClient) -> None:
        async with stage.browser() as browser:
            await signed_in(sandbox, browser)
            me = (await browser.get("/auth/me")).json()
            assert (me["email"], me["name"], me["locale"]) == ("minji.kim@example.com", "김민지", "ko")
            guilds = (await browser.get("/auth/identities/discord/guilds")).json()["items"]
            managed = [one for one in guilds if one["manageable"]]
            assert (len(managed), len(guilds)) == (3, 4)
            [mine] = [one for one in managed if one["owner"]]
            body = {"guild_id": mine["id"], "next": "/guilds"}
            begun = await browser.post("/auth/discord/installs", json=body)
            callback = await decided(sandbox, begun.json()["authorization_url"], MINJI)
            answer = await browser.get(callback)
            assert answer.headers["location"] == f"/guilds?installed={mine['id']}"
            # The grant for signing in stays valid.
            assert (await browser.get("/auth/identities/discord/guilds?fresh=true")).status_code == 200
