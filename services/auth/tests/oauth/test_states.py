"""The callback works for the browser that started the flow, for its provider and purpose, and once."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from bongsu.identity.models import LinkedAccount, User
from bongsu_auth.oauth.models import OAuthState
from services.auth.tests.providers import Person
from services.auth.tests.stage import Stage

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def with_query(callback: str, **changes: str) -> str:
    address = urlsplit(callback)
    return f"{address.path}?{urlencode({**dict(parse_qsl(address.query)), **changes})}"


def flipped(text: str) -> str:
    return ("A" if text[0] != "A" else "B") + text[1:]


class TestCallback:
    async def refused(self, stage: Stage, callback: str, browser_has: str = "its cookie") -> None:
        """Assert that no user is created and no cookie set."""
        async with stage.browser() as other:
            if browser_has == "another's cookie":
                await other.get("/auth/oauth/discord/authorize")
            answer = await other.get(callback)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")
        assert await User.row_count() == 0

    @pytest.mark.parametrize("browser_has", ["no cookie", "another's cookie"])
    async def test_another_browser_is_refused(self, stage: Stage, browser_has: str) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person(email=stage.new_address()))
            await self.refused(stage, callback, browser_has)
            assert stage.providers.calls["/discord/api/oauth2/token"] == 0
            # The browser that started the flow can still complete it.
            assert (await browser.get(callback)).headers["location"] == "/"

    async def test_state_works_once(self, each_stage: Stage) -> None:
        async with each_stage.browser() as browser:
            callback = await each_stage.sent_back(browser, "discord", Person(email=each_stage.new_address()))
            cookies = dict(browser.cookies)
            assert (await browser.get(callback)).status_code == 303
            browser.cookies.update(cookies)
            again = await browser.get(callback)
            assert (again.status_code, again.json()["code"]) == (400, "state_refused")

    async def test_state_works_once_in_two_concurrent_callbacks(self, each_stage: Stage) -> None:
        async with each_stage.browser() as browser:
            callback = await each_stage.sent_back(browser, "discord", Person(email=each_stage.new_address()))
            statuses = [
                answer.status_code for answer in await asyncio.gather(*(browser.get(callback) for _ in range(5)))
            ]
        assert sorted(statuses) == [303, 400, 400, 400, 400]

    async def test_modified_state_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person())
            state = parse_qs(urlsplit(callback).query)["state"][0]
            for changed in (flipped(state), state[:-1], state + "A", "", "x" * 5000, "\ud83d\ude00", "가"):
                answer = await browser.get(with_query(callback, state=changed.encode("utf-8", "replace").decode()))
                assert (answer.status_code, answer.json()["code"]) == (400, "state_refused"), changed

    async def test_state_of_another_provider_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person())
            answer = await browser.get(callback.replace("/discord/", "/google/"))
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")

    async def test_expired_state_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person())
            row = await OAuthState.filter_by().one()
            await row.update(expires_at=row.expires_at - timedelta(minutes=11))
            answer = await browser.get(callback)
            assert (answer.status_code, answer.json()["code"]) == (400, "state_expired")

    async def test_browser_gets_a_page(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            answer = await browser.get("/auth/oauth/discord/callback?state=x&code=y", headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=state_refused")

    async def test_sign_in_state_links_no_account_to_the_signed_in_user(self, stage: Stage) -> None:
        """The row decides the flow, not the session of the browser."""
        person = Person(email=stage.new_address())
        user = await stage.user()
        async with stage.browser() as browser:
            await browser.post(
                "/auth/login?cookie=true", json={"email": user.email, "password": "correct horse battery"}
            )
            callback = await stage.sent_back(browser, "discord", person)
            await browser.get(callback)
        linked = await LinkedAccount.filter_by().one()
        assert linked.user_id != user.id

    async def test_row_has_neither_state_nor_verifier_in_plain_text(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person())
            [cookie] = [value for name, value in browser.cookies.items() if name.startswith("flow-")]
        row = await OAuthState.filter_by().one()
        state = parse_qs(urlsplit(callback).query)["state"][0]
        stored = repr(row.to_dict())
        assert state not in stored
        assert cookie not in stored
