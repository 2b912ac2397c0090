"""What strangers can learn about accounts, or make the browsers of their owners do, over HTTP."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx
import pytest

from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS
from services.auth.tests.stage import Stage

SAMPLES = 200
ROUNDS = 3

Attempt = Callable[[Stage, str], Awaitable[httpx.Response]]


async def log_in(stage: Stage, email: str) -> httpx.Response:
    return await stage.login(email, "wrong password")


async def register(stage: Stage, email: str) -> httpx.Response:
    return await stage.register(email)


async def forgot(stage: Stage, email: str) -> httpx.Response:
    return await stage.client.post("/auth/password/forgot", json={"email": email})


async def resend(stage: Stage, email: str) -> httpx.Response:
    return await stage.client.post("/auth/verify/resend", json={"email": email})


async def elapsed_s(answer: Awaitable[httpx.Response], *, after_s: float = 0) -> tuple[float, httpx.Response]:
    await asyncio.sleep(after_s)
    began_s = time.perf_counter()
    response = await answer
    return time.perf_counter() - began_s, response


class TestEnumeration:
    """The hash is cheap here, so that a difference in the rest of the work shows."""

    @pytest.fixture
    def settings(self) -> AuthSettings:
        unlimited = {
            "login_failures": 10_000,
            "login_failures_account": 100_000,
            "login_failures_address": 1_000_000,
            "sign_ups_per_hour": 1_000_000,
            "mails_per_hour": 1_000,
        }
        return AuthSettings.model_validate({**SETTINGS, **unlimited})

    @pytest.mark.parametrize(
        ("attempt", "status", "apart_s", "alike"),
        [(log_in, 401, None, 0.25), (register, 202, None, 0.25), (forgot, 202, 0.05, 0.15), (resend, 202, 0.05, 0.15)],
        ids=["login", "register", "forgot", "resend"],
    )
    async def test_known_and_unknown_addresses_get_the_same_answer_in_the_same_time(
        self, stage: Stage, attempt: Attempt, status: int, apart_s: float | None, alike: float
    ) -> None:
        """`forgot` and `resend` answer after a fixed time: the next starts while the others wait.

        `alike` is the largest difference of the medians, as a fraction of the larger. The samples alternate.
        """
        users = [(await stage.user()).email for _ in range(SAMPLES // 2)]

        async def measure() -> float:
            """Return the difference of the medians of known and unknown addresses."""
            addresses = [address for email in users * 2 for address in (email, stage.new_address())]
            if apart_s is None:
                answers = [await elapsed_s(attempt(stage, address)) for address in addresses]
            else:
                answers = await asyncio.gather(
                    *(
                        elapsed_s(attempt(stage, address), after_s=index * apart_s)
                        for index, address in enumerate(addresses)
                    )
                )
            assert {(answer.status_code, _shown(answer)) for _, answer in answers} == {
                (status, _shown(answers[0][1])),
            }
            took = [seconds for seconds, _ in answers]
            return _difference(took[::2], took[1::2])

        differences: list[float] = []
        while len(differences) < ROUNDS and min(differences, default=1.0) >= alike:
            differences.append(await measure())
        assert min(differences) < alike


def _shown(answer: httpx.Response) -> str:
    """Return everything that may not differ: the body without its request ID, and the names of the headers."""
    body = answer.json()
    body.pop("request_id", None)
    return str((body, sorted(answer.headers)))


def _difference(known: Sequence[float], unknown: Sequence[float]) -> float:
    medians = (statistics.median(known), statistics.median(unknown))
    return (max(medians) - min(medians)) / max(medians)


CROSS_SITE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
COOKIE_ALONE = {
    ("POST", "/auth/login"): ({"cookie": "true"}, {"email": "a@example.com", "password": "wrong password"}),
    ("POST", "/auth/mfa/verify"): ({"cookie": "true"}, {"mfa_token": "t" * 43, "code": "123456"}),
    ("POST", "/auth/refresh"): ({}, None),
    ("POST", "/auth/logout"): ({}, None),
}
"""Operations that read or set cookies, but name no access token in the OpenAPI document: a query and a body each."""
NO_SESSION_IS_READ = {
    ("POST", "/auth/register"),
    ("POST", "/auth/verify"),
    ("POST", "/auth/verify/resend"),
    ("POST", "/auth/password/forgot"),
    ("POST", "/auth/password/reset"),
    ("POST", "/auth/email/confirm"),
    ("POST", "/auth/oauth/{provider}/authorize"),
    ("POST", "/auth/oauth/exchange"),
    # It redirects to a page of the dashboard, which checks the origin of the form.
    ("POST", "/auth/session/renew"),
}


class TestOtherSites:
    async def test_change_with_the_cookie_of_the_browser_is_refused_for_every_operation(self, stage: Stage) -> None:
        paths = (await stage.client.get("/auth/openapi.json")).json()["paths"]
        changes = {
            (method.upper(), path): bool(operation.get("security"))
            for path, operations in paths.items()
            for method, operation in operations.items()
            if method != "get"
        }
        without_token = {operation for operation, has_token in changes.items() if not has_token}
        # A new operation is refused to other sites, or is listed above with a reason.
        assert without_token - COOKIE_ALONE.keys() == NO_SESSION_IS_READ
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            for method, path in changes.keys() - NO_SESSION_IS_READ:
                query, body = COOKIE_ALONE.get((method, path), ({}, {}))
                target = path.replace("{provider}", "google").replace("}", "").replace("{", "")
                answer = await browser.request(method, target, params=query, json=body, headers=CROSS_SITE)
                assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), (method, path)
            assert (await browser.get("/auth/me")).status_code == 200
