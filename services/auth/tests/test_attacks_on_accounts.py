"""What strangers can learn about accounts, or make the browsers of their owners do, over HTTP."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from bongsu_auth.accounts.links import MAX_PER_HOUR
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS
from services.auth.tests.stage import Stage
from services.auth.tests.timing import SAMPLES, assert_alike

ADDRESSES = 100
"""Of each kind, used in turn."""

Attempt = Callable[[Stage, str], Awaitable[httpx.Response]]


async def log_in(stage: Stage, email: str) -> httpx.Response:
    return await stage.login(email, "wrong password")


async def register(stage: Stage, email: str) -> httpx.Response:
    return await stage.register(email)


async def forgot(stage: Stage, email: str) -> httpx.Response:
    return await stage.client.post("/auth/password/forgot", json={"email": email})


async def resend(stage: Stage, email: str) -> httpx.Response:
    return await stage.client.post("/auth/verify/resend", json={"email": email})


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
        ("attempt", "status", "apart_s"),
        [(log_in, 401, None), (register, 202, None), (forgot, 202, 0.02), (resend, 202, 0.02)],
        ids=["login", "register", "forgot", "resend"],
    )
    async def test_known_and_unknown_addresses_get_the_same_answer_in_the_same_time(
        self, stage: Stage, attempt: Attempt, status: int, apart_s: float | None
    ) -> None:
        unknown = [stage.new_address() for _ in range(ADDRESSES)]
        if attempt is resend:
            known = [stage.new_address() for _ in range(ADDRESSES)]
            for email in known:
                await stage.register(email)
        else:
            known = [(await stage.user()).email for _ in range(ADDRESSES)]
        answers = await assert_alike(
            lambda number: attempt(stage, known[number % ADDRESSES]),
            lambda number: attempt(stage, unknown[number % ADDRESSES]),
            apart_s=apart_s,
        )
        assert {(answer.status_code, _shown(answer)) for answer in answers} == {(status, _shown(answers[0]))}

    async def test_taken_and_free_new_addresses_get_the_same_answer_in_the_same_time(self, stage: Stage) -> None:
        """Of a user who changes theirs."""
        taken = [(await stage.user()).email for _ in range(ADDRESSES)]
        users: list[dict[str, str]] = []

        async def sign_users_in() -> None:
            users.extend([await stage.signed_in(await stage.user()) for _ in range(2 * SAMPLES // MAX_PER_HOUR)])

        def ask(number: int, email: str, *, first: int) -> Awaitable[httpx.Response]:
            headers = users[first + 2 * (number // MAX_PER_HOUR)]
            return stage.client.put("/auth/email", json={"email": email}, headers=headers)

        answers = await assert_alike(
            lambda number: ask(number, taken[number % ADDRESSES], first=0),
            lambda number: ask(number, stage.new_address(), first=1),
            before_round=sign_users_in,
        )
        assert {(answer.status_code, _shown(answer)) for answer in answers} == {(202, _shown(answers[0]))}


def _shown(answer: httpx.Response) -> str:
    """Return everything that may not differ: the body without its request ID, and the names of the headers."""
    body = answer.json()
    body.pop("request_id", None)
    return str((body, sorted(answer.headers)))


CROSS_SITE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
COOKIE_ALONE = {
    ("POST", "/auth/login"): ({"cookie": "true"}, {"email": "a@example.com", "password": "wrong password"}),
    ("POST", "/auth/mfa/verify"): ({"cookie": "true"}, {"mfa_token": "t" * 43, "code": "123456"}),
    ("POST", "/auth/register"): ({}, {"email": "a@example.com", "password": "a long password"}),
    ("POST", "/auth/verify"): ({}, {"token": "t" * 43}),
    ("POST", "/auth/verify/resend"): ({}, {"email": "a@example.com"}),
    ("POST", "/auth/refresh"): ({}, None),
    ("POST", "/auth/logout"): ({}, None),
}
"""Operations that read or set cookies, but name no access token in the OpenAPI document: a query and a body each."""
NO_SESSION_IS_READ = {
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


async def verify(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/auth/verify", json={"token": f"{number}" * 43, "password": "a long password"})


async def sign_up(client: httpx.AsyncClient, number: int) -> httpx.Response:
    body = {"email": f"a{number}@example.com", "password": "a long password"}
    return await client.post("/auth/register", json=body)


async def ask_again(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/auth/verify/resend", json={"email": f"a{number}@example.com"})


async def start_at_a_provider(client: httpx.AsyncClient, _number: int) -> httpx.Response:
    return await client.get("/auth/oauth/google/authorize")


async def guess(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/auth/login", json={"email": f"a{number}@example.com", "password": "wrong password"})


class TestVariants:
    """A limit counts all spellings of an address as one."""

    LIMIT = 3

    @pytest.fixture
    def settings(self) -> AuthSettings:
        limits = ("sign_ups_per_hour", "authorizations_per_hour", "login_failures_account", "login_failures_address")
        return AuthSettings.model_validate({**SETTINGS, **dict.fromkeys(limits, self.LIMIT)})

    @pytest.mark.parametrize(
        "addresses",
        [
            ("203.0.113.7", "::ffff:203.0.113.7", "::FFFF:CB00:7107", "0:0:0:0:0:ffff:203.0.113.7"),
            ("2001:db8:1:2::1", "2001:DB8:1:2::1", "2001:db8:1:2:ffff::1", "2001:0db8:0001:0002::9%eth0"),
        ],
        ids=["IPv4", "IPv6"],
    )
    @pytest.mark.parametrize("attempt", [sign_up, ask_again, verify, start_at_a_provider, guess])
    async def test_network_that_is_written_in_other_ways_reaches_its_limit(
        self,
        stage: Stage,
        addresses: tuple[str, ...],
        attempt: Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]],
    ) -> None:
        answers = []
        for number, address in enumerate(addresses):
            async with stage.browser(address=address) as browser:
                answers.append(await attempt(browser, number))
        assert [answer.status_code == 429 for answer in answers] == [False] * self.LIMIT + [True]
        async with stage.browser(address="203.0.113.8") as browser:
            assert (await attempt(browser, 9)).status_code != 429

    async def test_account_that_is_written_in_other_ways_reaches_its_limit(self, stage: Stage) -> None:
        await stage.user("owner@xn--bcher-kva.example")
        spellings = ("owner@bücher.example", "OWNER@xn--bcher-kva.example", "Owner@BÜCHER.example")
        answers = []
        for number, email in enumerate((*spellings, "owner@bu\u0308cher\u3002example")):
            async with stage.browser(address=f"203.0.113.{number}") as browser:
                answers.append(await browser.post("/auth/login", json={"email": email, "password": "wrong password"}))
        assert [answer.status_code for answer in answers] == [401] * self.LIMIT + [429]
