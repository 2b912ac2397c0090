"""Signing in with the sandbox's Discord, which `make up` uses."""

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
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": URL}


@pytest.fixture
def settings() -> AuthSettings:
    return AuthSettings().with_stand_ins(URL, public_url=URL)


@pytest.fixture
async def sandbox(stage: Stage, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the sandbox, to which auth sends its requests too."""
    app = create_app(SandboxSettings(data_dir=tmp_path / "sandbox"), PlatformSettings())
    transport = httpx.ASGITransport(app)
    stage.backends.find("discord")._http._transport = transport
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


async def signed_in(stage: Stage, sandbox: httpx.AsyncClient, browser: httpx.AsyncClient, persona: str) -> None:
    begun = await browser.get("/auth/oauth/discord/authorize")
    answer = await browser.get(await decided(sandbox, begun.headers["location"], persona))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    del stage


class TestDiscord:
    async def test_sign_in_guilds_and_adding_the_bot(self, stage: Stage, sandbox: httpx.AsyncClient) -> None:
        async with stage.browser() as browser:
            await signed_in(stage, sandbox, browser, MINJI)
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

    async def test_denied_sign_in_gets_a_page(self, stage: Stage, sandbox: httpx.AsyncClient) -> None:
        async with stage.browser() as browser:
            begun = await browser.get("/auth/oauth/discord/authorize")
            callback = await decided(sandbox, begun.headers["location"], JAMES, "deny")
            assert (await browser.get(callback)).headers["location"] == "/login?error=denied"

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
    async def test_faults_are_a_clean_result(
        self, stage: Stage, sandbox: httpx.AsyncClient, kind: str, detail: str | None, code: str
    ) -> None:
        fault = {"target": "discord", "kind": kind, "rate": 1, "duration_s": 60}
        answer = await sandbox.post("/sandbox/faults", json=fault | ({"detail": detail} if detail else {}))
        assert answer.status_code < 300, answer.text
        async with stage.browser() as browser:
            begun = await browser.get("/auth/oauth/discord/authorize")
            callback = await decided(sandbox, begun.headers["location"], MINJI)
            assert (await browser.get(callback)).headers["location"] == f"/login?error={code}"
        assert await LinkedAccount.row_count() == 0

    async def test_huge_tokens_are_stored(self, stage: Stage, sandbox: httpx.AsyncClient) -> None:
        fault = {"target": "discord", "kind": "huge_token", "rate": 1, "duration_s": 60}
        await sandbox.post("/sandbox/faults", json=fault)
        async with stage.browser() as browser:
            await signed_in(stage, sandbox, browser, MINJI)
        token = stage.grants.access_token(await LinkedAccount.filter_by().one())
        assert token is not None
        assert len(token) == 8192
