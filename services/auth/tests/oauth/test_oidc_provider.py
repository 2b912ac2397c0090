"""Signing in with `oidc-provider`, an issuer written by others, in Google's place. Discovery finds its endpoints."""

import re
import subprocess
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest

from bongsu.identity.models import LinkedAccount
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import CLIENT_ID, CLIENT_SECRET
from services.auth.tests.stage import URL, Stage
from tests.eventually import wait_until
from tests.infrastructure.node import require_node, require_packages
from tests.ports import free_port

CALLBACK = f"{URL}/auth/oauth/google/callback"


@pytest.fixture
def issuer(request: pytest.FixtureRequest) -> Iterator[str]:
    """The issuer in a process of its own. Returns its address."""
    node, folder = require_node(request.node), require_packages(request.node)
    port = free_port()
    command = [node, "issuer.mjs", str(port), CLIENT_ID, CLIENT_SECRET, CALLBACK]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            with httpx.Client(base_url=address, timeout=60) as client:  # created once: that takes longer than a request
                document = "/.well-known/openid-configuration"
                wait_until(lambda: client.get(document).status_code == 200, 60, ignoring=(httpx.TransportError,))
            yield address
        finally:
            process.kill()


@pytest.fixture
def settings(issuer: str) -> AuthSettings:
    return AuthSettings.model_validate(
        {"google_client_id": CLIENT_ID, "google_client_secret": CLIENT_SECRET, "google_base_url": issuer}
    )


async def agree(address: str, login: str) -> str:
    """Sign in and agree on the pages of the issuer. Returns the callback URL."""
    async with httpx.AsyncClient(timeout=60) as person:
        answer = await person.get(address)
        for prompt in ({"prompt": "login", "login": login, "password": "any"}, {"prompt": "consent"}):
            while answer.status_code == 303:
                answer = await person.get(urljoin(str(answer.url), answer.headers["location"]))
            action = re.search(r'action="([^"]+)"', answer.text)
            assert action is not None, answer.text
            answer = await person.post(urljoin(str(answer.url), action[1]), data=prompt)
        while not answer.headers["location"].startswith(CALLBACK):
            answer = await person.get(urljoin(str(answer.url), answer.headers["location"]))
        return str(answer.headers["location"])


class TestSignIn:
    async def test_person_signs_in_to_one_account_twice(self, stage: Stage, issuer: str) -> None:
        stage.backends.find("google")._http._transport = httpx.AsyncHTTPTransport()
        found = []
        for _ in range(2):
            async with stage.browser() as browser:
                begun = await browser.get("/auth/oauth/google/authorize?next=/account")
                assert begun.headers["location"].startswith(f"{issuer}/auth?")
                answer = await browser.get(await agree(begun.headers["location"], "minji"))
                assert (answer.status_code, answer.headers["location"]) == (303, "/account"), answer.text
                found.append((await browser.get("/auth/me")).json())
        assert {me["id"] for me in found} == {found[0]["id"]}
        assert (found[0]["email"], found[0]["email_verified"], found[0]["name"]) == (
            "minji@example.com",
            True,
            "김민지",
        )
        assert (await LinkedAccount.filter_by().one()).subject == "minji"
