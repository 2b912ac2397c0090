"""`POST /auth/reauthenticate`."""

from datetime import timedelta

import jwt
import pytest

from bongsu.identity.models import AuditEntry, UserSession
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import PASSWORD, Stage, bearer

PATH = "/auth/reauthenticate"


class TestReauthenticate:
    async def test_new_token_has_the_new_auth_time(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user())
        session = await UserSession.filter_by().one()
        await session.update(auth_time=session.auth_time - timedelta(hours=1))
        answer = await each_stage.client.post(PATH, json={"password": PASSWORD}, headers=headers)
        body = answer.json()
        assert (answer.status_code, body["token_type"], answer.headers["cache-control"]) == (200, "Bearer", "no-store")
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})
        assert claims["auth_time"] >= claims["iat"] - 5
        assert (claims["sid"], claims["amr"]) == (str(session.id), ["pwd"])
        assert (await each_stage.client.get("/auth/me", headers=bearer(body["access_token"]))).status_code == 200
        assert await AuditEntry.filter_by(action="session.reauthenticated").count() == 1

    async def test_browser_gets_the_token_as_a_cookie(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.browser() as browser:
            await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
            before = browser.cookies["access-8000"]
            answer = await browser.post(PATH, json={"password": PASSWORD})
            assert answer.json() == {"access_token": None, "token_type": "Cookie", "expires_in": 900}
            assert browser.cookies["access-8000"] != before

    async def test_wrong_password_is_403_and_the_session_goes_on(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.post(PATH, json={"password": "wrong password"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "password_refused")
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 200
        assert await AuditEntry.filter_by(action="session.reauthentication_failed").count() == 1

    async def test_account_without_a_password_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", Person(), browser=browser)
            answer = await browser.post(PATH, json={"password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (409, "password_missing")

    async def test_request_from_another_site_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.browser() as browser:
            await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
            answer = await browser.post(PATH, json={"password": PASSWORD}, headers={"sec-fetch-site": "cross-site"})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


class TestLimits:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "login_failures": "3"})

    async def test_guesses_have_to_wait(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        statuses = [
            (await stage.client.post(PATH, json={"password": f"wrong {number}"}, headers=headers)).status_code
            for number in range(5)
        ]
        assert statuses[-1] == 429

    async def test_right_passwords_are_not_counted(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        for _ in range(5):
            answer = await stage.client.post(PATH, json={"password": PASSWORD}, headers=headers)
            assert answer.status_code == 200
        for number in range(5):
            change = {"current": PASSWORD if number == 0 else f"{PASSWORD} {number - 1}", "new": f"{PASSWORD} {number}"}
            assert (await stage.client.put("/auth/password", json=change, headers=headers)).status_code == 204
