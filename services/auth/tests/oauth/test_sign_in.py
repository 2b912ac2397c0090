"""Signing in with an account at a provider, from the first redirect to the cookies."""

import asyncio
import contextlib
import contextvars
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from bongsu.identity.models import AuditEntry, LinkedAccount, User, UserSession
from bongsu_auth.oauth.models import OAuthState
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import URL, Stage

PROVIDERS = ("discord", "google", "kakao")


class TestProviders:
    async def test_list_has_the_configured_providers(self, stage: Stage) -> None:
        listed = (await stage.client.get("/auth/providers")).json()
        assert [one["name"] for one in listed["items"]] == list(PROVIDERS)
        assert listed["items"][0]["authorize_path"] == "/auth/oauth/discord/authorize"

    async def test_unknown_provider_is_404(self, stage: Stage) -> None:
        for path in ("authorize", "callback?state=x&code=y"):
            answer = await stage.client.get(f"/auth/oauth/twitter/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "provider_not_found")


class TestAuthorize:
    @pytest.mark.parametrize("provider", PROVIDERS)
    async def test_redirect_has_state_and_s256_and_sets_a_flow_cookie(self, stage: Stage, provider: str) -> None:
        answer = await stage.client.get(f"/auth/oauth/{provider}/authorize")
        query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert answer.status_code == 303
        assert query["redirect_uri"] == f"http://localhost:8000/auth/oauth/{provider}/callback"
        assert query["code_challenge_method"] == "S256"
        assert answer.headers["cache-control"] == "no-store"
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith("flow-8000=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert query["state"] not in cookie

    async def test_browser_has_one_flow_cookie_for_all_its_flows(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            first = await stage.sent_back(browser, "discord", Person(email=stage.new_address()))
            cookie = browser.cookies["flow-8000"]
            second = await stage.sent_back(browser, "google", Person(email=stage.new_address()))
            assert [one.name for one in browser.cookies.jar] == ["flow-8000"]
            assert browser.cookies["flow-8000"] == cookie
            # Both tabs come back, in any order.
            for callback in (second, first):
                assert (await browser.get(callback)).headers["location"] == "/"

    @pytest.mark.parametrize("value", ["x", "x" * 44, "한" * 43])
    async def test_malformed_flow_cookie_is_replaced(self, stage: Stage, value: str) -> None:
        headers = {b"cookie": f"flow-8000={value}".encode()}
        answer = await stage.client.get("/auth/oauth/discord/authorize", headers=headers)
        assert answer.cookies["flow-8000"] != value

    @pytest.mark.parametrize(
        "headers",
        [{"sec-purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}],
    )
    async def test_prefetch_starts_nothing(self, stage: Stage, headers: dict[str, str]) -> None:
        answer = await stage.client.get("/auth/oauth/discord/authorize", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "prefetch_refused")
        assert "set-cookie" not in answer.headers
        assert await OAuthState.row_count() == 0

    @pytest.mark.parametrize("settings", [AuthSettings.model_validate({**SETTINGS, "authorizations_per_hour": 3})])
    async def test_sign_ins_of_one_network_are_limited(self, stage: Stage) -> None:
        path = "/auth/oauth/discord/authorize?next=/guilds"
        answers = await asyncio.gather(*(stage.client.get(path) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [303] * 3 + [429] * 3
        assert await OAuthState.row_count() == 3
        refused = await stage.client.get(path)
        assert (refused.json()["code"], int(refused.headers["retry-after"]) > 0) == ("too_many_authorizations", True)
        page = await stage.client.get(path, headers={"accept": "text/html"})
        assert page.headers["location"] == "/login?error=too_many_authorizations&next=%2Fguilds"
        async with stage.browser(address="203.0.113.9") as other:
            assert (await other.get(path)).status_code == 303

    async def test_parameters_of_the_client_are_ignored(self, stage: Stage) -> None:
        """Scopes, a challenge or a redirect URI in the query."""
        answer = await stage.client.get(
            "/auth/oauth/discord/authorize",
            params={
                "scopes": "bot",
                "scope": "bot",
                "code_challenge": "mine",
                "code_challenge_method": "plain",
                "redirect_uri": "https://evil.example",
                "state": "mine",
            },
        )
        query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        assert query["scope"] == "identify email guilds"
        assert query["code_challenge_method"] == "S256"
        assert "mine" not in query.values()
        assert "evil" not in answer.headers["location"]

    async def test_forged_host_changes_nothing(self, stage: Stage) -> None:
        answer = await stage.client.get(
            "/auth/oauth/discord/authorize",
            headers={"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"},
        )
        assert "evil" not in answer.headers["location"]

    async def test_each_sign_in_has_its_own_nonce_and_challenge(self, stage: Stage) -> None:
        queries = []
        for _ in range(2):
            answer = await stage.client.get("/auth/oauth/google/authorize")
            queries.append(parse_qs(urlsplit(answer.headers["location"]).query))
        for name in ("state", "nonce", "code_challenge"):
            assert queries[0][name] != queries[1][name]


class TestRequests:
    async def test_user_agent_has_the_format_of_discord(self, stage: Stage) -> None:
        await stage.sign_in_with("discord", Person(email=stage.new_address()))
        agents = {request.headers["user-agent"] for request in stage.providers.requests}
        assert agents == {f"DiscordBot ({URL}, 1) Bongsu"}


class TestCallback:
    @pytest.mark.parametrize("provider", PROVIDERS)
    async def test_first_sign_in_creates_an_account_and_redirects_to_next(
        self, each_stage: Stage, provider: str
    ) -> None:
        person = Person(email=each_stage.new_address())
        async with each_stage.browser() as browser:
            callback = await each_stage.sent_back(browser, provider, person, next_path="/guilds?tab=mine")
            answer = await browser.get(callback)
            assert (answer.status_code, answer.headers["location"]) == (303, "/guilds?tab=mine")
            assert answer.headers["cache-control"] == "no-store"
            assert {"access-8000", "refresh-8000"} <= set(browser.cookies)
            me = (await browser.get("/auth/me")).json()
        assert (me["email"], me["email_verified"]) == (person.email, True)
        assert (me["role"], me["sending"], me["locale"]) == ("user", "trial", "ko")
        linked = await LinkedAccount.filter_by(provider=provider).one()
        assert (linked.subject, str(linked.user_id)) == (person.subject, me["id"])

    async def test_second_sign_in_is_the_same_account(self, stage: Stage) -> None:
        person = Person(email=stage.new_address())
        for _ in range(2):
            assert (await stage.sign_in_with("discord", person)).headers["location"] == "/"
        assert await User.row_count() == 1
        actions = [entry.action for entry in await AuditEntry.order_by("id").all()]
        assert actions == ["account.created", "identity.linked", "session.opened", "session.opened"]

    async def test_sign_in_is_audited_with_its_provider(self, each_stage: Stage) -> None:
        await each_stage.sign_in_with("kakao", Person(email=each_stage.new_address()))
        user, session = await User.query().one(), await UserSession.query().one()
        entry = await AuditEntry.filter_by(action="session.opened").one()
        assert (entry.actor_id, entry.subject_id, entry.address) == (user.id, user.id, "127.0.0.1")
        assert (entry.target, entry.details) == (f"session:{session.id}", {"how": "fed", "provider": "kakao"})

    async def test_sign_in_that_is_refused_is_not_audited(self, stage: Stage) -> None:
        person = Person(email=stage.new_address())
        await stage.sign_in_with("discord", person)
        await (await User.query().one()).update(status="blocked")
        assert (await stage.sign_in_with("discord", person)).headers["location"] != "/"
        assert await AuditEntry.filter_by(action="session.opened").count() == 1

    async def test_access_token_has_the_federated_method(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", Person(email=stage.new_address()), browser=browser)
            claims = await stage.identity.tokens.verify(browser.cookies["access-8000"])
        assert claims.amr == ("fed",)

    async def test_fifty_concurrent_first_sign_ins_create_one_user(self, each_stage: Stage) -> None:
        person = Person(email=each_stage.new_address())
        answers = await asyncio.gather(*(each_stage.sign_in_with("discord", person) for _ in range(50)))
        assert {(one.status_code, one.headers["location"]) for one in answers} == {(303, "/")}
        assert (await User.row_count(), await LinkedAccount.row_count()) == (1, 1)

    async def test_fifty_concurrent_first_sign_ins_without_an_address_create_one_user(self, each_stage: Stage) -> None:
        """Without an address, only the linked account identifies the user."""
        person = Person()
        answers = await asyncio.gather(*(each_stage.sign_in_with("kakao", person) for _ in range(50)))
        assert {(one.status_code, one.headers["location"]) for one in answers} == {(303, "/")}
        assert (await User.row_count(), await LinkedAccount.row_count()) == (1, 1)

    async def test_sign_ins_that_wait_for_one_account_leave_connections_for_others(self, mysql_stage: Stage) -> None:
        person, other = Person(email=mysql_stage.new_address()), await mysql_stage.signed_in(await mysql_stage.user())
        await mysql_stage.sign_in_with("discord", person)
        async with contextlib.AsyncExitStack() as stack:
            browsers = [await stack.enter_async_context(mysql_stage.browser()) for _ in range(30)]
            callbacks = [await mysql_stage.sent_back(browser, "discord", person) for browser in browsers]
            async with mysql_stage.database.unit():
                await LinkedAccount.filter_by().unfiltered().update(display_name="locks the row")
                waiting = [asyncio.ensure_future(each.get(to)) for each, to in zip(browsers, callbacks, strict=True)]
                done, _ = await asyncio.wait(waiting, timeout=2)
                assert done == set()
                # In a context of its own, because the unit's connection is not the others'.
                request = mysql_stage.client.get("/auth/me", headers=other)
                me = asyncio.create_task(request, context=contextvars.Context())
                answered, _ = await asyncio.wait({me}, timeout=8)
                assert answered == {me}
            answers = await asyncio.gather(*waiting)
        assert {(one.status_code, one.headers["location"]) for one in answers} == {(303, "/")}

    async def test_kakao_account_without_an_address_creates_a_user_without_one(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("kakao", Person(), browser=browser)
            me = (await browser.get("/auth/me")).json()
        assert (me["email"], me["email_verified"], me["nickname"]) == (None, False, "김민지")

    async def test_address_that_appears_later_is_stored(self, stage: Stage) -> None:
        person = Person()
        await stage.sign_in_with("kakao", person)
        person.email = stage.new_address()
        await stage.sign_in_with("kakao", person)
        user = await User.filter_by().one()
        assert (user.email_norm, user.is_verified) == (person.email, True)

    async def test_two_flows_in_one_browser_both_work(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            first, second = Person(email=stage.new_address()), Person(email=stage.new_address())
            callbacks = [await stage.sent_back(browser, "discord", person) for person in (first, second)]
            for callback in callbacks:
                assert (await browser.get(callback)).headers["location"] == "/"

    async def test_blocked_user_is_refused(self, stage: Stage) -> None:
        person = Person(email=stage.new_address())
        await stage.sign_in_with("discord", person)
        await (await User.filter_by().one()).update(status="blocked")
        async with stage.browser() as browser:
            answer = await stage.sign_in_with("discord", person, browser=browser)
            assert answer.headers["location"] == "/login?error=account_blocked"
            assert "access-8000" not in browser.cookies

    async def test_denied_sign_in_redirects_to_the_sign_in_page(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person(), next_path="/guilds")
            state = parse_qs(urlsplit(callback).query)["state"][0]
            answer = await browser.get(
                "/auth/oauth/discord/callback",
                params={"error": "access_denied", "error_description": "x", "state": state},
            )
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=denied&next=%2Fguilds")
        assert await User.row_count() == 0

    @pytest.mark.parametrize(
        "query", [{"error": "server_error"}, {"error": "<script>"}, {"code": ""}, {"code": "x" * 9000}]
    )
    async def test_other_errors_of_the_provider_redirect_to_an_error_page(
        self, stage: Stage, query: dict[str, str]
    ) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person())
            state = parse_qs(urlsplit(callback).query)["state"][0]
            answer = await browser.get("/auth/oauth/discord/callback", params={**query, "state": state})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=provider_error")
