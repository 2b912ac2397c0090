"""What an attacker had before its owner changed an account must not work after the change, over HTTP."""

import httpx
import pytest

from bongsu_auth.settings import AuthSettings
from services.auth.tests.client_sign_in.test_endpoints import APP, Client
from services.auth.tests.mfa.codes import code_of, enable
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import PASSWORD, Stage


@pytest.fixture
def settings() -> AuthSettings:
    return AuthSettings.model_validate({**SETTINGS, "redirect_uris": APP})


async def reauthenticate(stage: Stage, headers: dict[str, str], **given: str) -> httpx.Response:
    return await stage.client.post("/auth/reauthenticate", json=given, headers=headers)


class TestSecondFactor:
    """An attacker signed in with the password, just before the owner turned the second factor on."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("DELETE", "/auth/mfa/totp", None),
            ("POST", "/auth/mfa/recovery-codes", None),
            ("PUT", "/auth/password", {"current": PASSWORD, "new": "another long password"}),
            ("PUT", "/auth/email", {"email": "attacker@example.com"}),
            ("POST", "/auth/identities/google/link", None),
            ("DELETE", "/auth/me", None),
        ],
    )
    async def test_session_without_it_changes_nothing_until_a_code_was_given(
        self, stage: Stage, method: str, path: str, body: dict[str, str] | None
    ) -> None:
        user = await stage.user()
        attacker, owner = await stage.signed_in(user), await stage.signed_in(user)
        secret, _ = await enable(stage, owner)
        refused = await stage.client.request(method, path, json=body, headers=attacker)
        assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
        assert (await reauthenticate(stage, attacker, password=PASSWORD)).status_code == 422
        given = await reauthenticate(stage, attacker, password=PASSWORD, code=code_of(secret))
        assert given.status_code == 200
        assert (await stage.client.request(method, path, json=body, headers=attacker)).is_success

    async def test_session_that_turned_it_on_goes_on(self, stage: Stage) -> None:
        owner = await stage.signed_in(await stage.user())
        await enable(stage, owner)
        assert (await stage.client.delete("/auth/mfa/totp", headers=owner)).status_code == 204


class TestEmail:
    """An attacker requested the change to an address of theirs: confirmed, it would give them the account."""

    @pytest.mark.parametrize("revoked", ["the session", "all others"])
    async def test_link_does_not_work_after_the_session_was_revoked(self, each_stage: Stage, revoked: str) -> None:
        user = await each_stage.user()
        attacker, owner = await each_stage.signed_in(user), await each_stage.signed_in(user)
        body = {"email": "attacker@example.com"}
        assert (await each_stage.client.put("/auth/email", json=body, headers=attacker)).status_code == 202
        sessions = (await each_stage.client.get("/auth/sessions", headers=attacker)).json()["items"]
        [theirs] = [session["id"] for session in sessions if session["current"]]
        path = f"/auth/sessions/{theirs}" if revoked == "the session" else "/auth/sessions"
        assert (await each_stage.client.delete(path, headers=owner)).status_code == 204
        [mail] = [mail for mail in await each_stage.mails() if mail.to == body["email"]]
        answer = await each_stage.client.post("/auth/email/confirm", json={"token": mail.token})
        assert (answer.status_code, answer.json()["code"]) == (400, "link_refused")
        assert (await each_stage.login(user.email)).status_code == 200

    async def test_link_does_not_work_after_a_refresh_token_was_reused(self, stage: Stage) -> None:
        user = await stage.user()
        tokens = (await stage.login(user.email)).json()
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        await stage.client.put("/auth/email", json={"email": "attacker@example.com"}, headers=headers)
        used = tokens["refresh_token"]
        for _ in range(2):
            used = (await stage.client.post("/auth/refresh", json={"refresh_token": used})).json()["refresh_token"]
        reused = await stage.client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert reused.status_code == 401
        [mail] = [mail for mail in await stage.mails() if mail.to == "attacker@example.com"]
        assert (await stage.client.post("/auth/email/confirm", json={"token": mail.token})).status_code == 400

    async def test_link_works_after_its_own_session_signed_out(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        await stage.client.put("/auth/email", json={"email": "new@example.com"}, headers=headers)
        assert (await stage.client.post("/auth/logout", headers=headers)).status_code == 204
        [mail] = [mail for mail in await stage.mails() if mail.to == "new@example.com"]
        assert (await stage.client.post("/auth/email/confirm", json={"token": mail.token})).status_code == 204


class TestUnlinking:
    """An attacker's provider account was linked, and its sign-in has begun when the owner unlinks it."""

    async def test_code_of_an_api_client_is_refused(self, each_stage: Stage) -> None:
        user, client = await each_stage.user(), Client(each_stage)
        back = await client.come_back(Person(email=user.email))
        owner = await each_stage.signed_in(user)
        assert (await each_stage.client.delete("/auth/identities/google", headers=owner)).status_code == 204
        answer = await client.exchange(back["code"])
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_unlinked")
        assert len((await each_stage.client.get("/auth/sessions", headers=owner)).json()["items"]) == 1

    async def test_sign_in_that_waits_for_the_second_factor_is_refused(self, each_stage: Stage) -> None:
        user, client = await each_stage.user(), Client(each_stage)
        owner = await each_stage.signed_in(user)
        secret, _ = await enable(each_stage, owner)
        back = await client.come_back(Person(email=user.email))
        token = (await client.exchange(back["code"])).json()["mfa_token"]
        assert (await each_stage.client.delete("/auth/identities/google", headers=owner)).status_code == 204
        body = {"mfa_token": token, "code": code_of(secret)}
        answer = await each_stage.client.post("/auth/mfa/verify", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_unlinked")
