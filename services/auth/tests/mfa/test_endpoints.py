"""`/auth/mfa`: the second step of a sign-in."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu_auth.mfa.models import MfaChallenge, RecoveryCode, TotpFactor
from bongsu_auth.sessions.models import LoginFailures
from bongsu_auth.sessions.recent import RECENT
from bongsu_auth.settings import AuthSettings
from services.auth.tests.mfa.codes import code_of, confirm, enable
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import PASSWORD, Stage, bearer, error_fields

VERIFY = "/auth/mfa/verify"


async def protected(stage: Stage) -> tuple[User, str, list[str]]:
    """Return a user with a second factor, its secret and the recovery codes."""
    user = await stage.user()
    secret, recovery = await enable(stage, await stage.signed_in(user))
    return user, secret, recovery


async def first_step(stage: Stage, user: User) -> str:
    """Sign in with the password. Returns the token for the second step."""
    body = (await stage.login(user.email)).json()
    assert (body["mfa_required"], "access_token" in body) == (True, False)
    return str(body["mfa_token"])


async def second_step(stage: Stage, token: str, code: str) -> httpx.Response:
    async with stage.browser() as browser:
        return await browser.post(VERIFY, json={"mfa_token": token, "code": code})


def claims_of(answer: httpx.Response) -> dict[str, object]:
    found: dict[str, object] = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    return found


class TestTurningOn:
    async def test_sign_in_takes_a_code_once_the_first_was_sent(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        headers = await each_stage.signed_in(user)
        started = await each_stage.client.post("/auth/mfa/totp", headers=headers)
        assert (started.json()["status"], started.headers["cache-control"]) == ("pending", "no-store")
        assert started.json()["otpauth_uri"].startswith("otpauth://totp/Bongsu:")
        assert "access_token" in (await each_stage.login(user.email)).json()
        secret = started.json()["secret"]
        enabled = await each_stage.client.post("/auth/mfa/totp", json={"code": code_of(secret)}, headers=headers)
        assert (enabled.status_code, len(set(enabled.json()["recovery_codes"]))) == (200, 10)
        shown = (await each_stage.client.get("/auth/mfa/totp", headers=headers)).json()
        assert (shown["enabled"], shown["recovery_codes_left"]) == (True, 10)
        assert (await each_stage.client.get("/auth/me", headers=headers)).json()["mfa_enabled"] is True
        await first_step(each_stage, user)
        assert len(await each_stage.notices("mfa.enabled")) == 1

    async def test_wrong_first_code_turns_nothing_on(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        secret = (await stage.client.post("/auth/mfa/totp", headers=headers)).json()["secret"]
        wrong = code_of(secret, steps=5)
        answer = await stage.client.post("/auth/mfa/totp", json={"code": wrong}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "mfa_code_refused")
        assert "access_token" in (await stage.login(user.email)).json()

    async def test_order_of_the_steps_is_checked(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        early = await stage.client.post("/auth/mfa/totp", json={"code": "123456"}, headers=headers)
        off = await stage.client.delete("/auth/mfa/totp", headers=headers)
        none = await stage.client.post("/auth/mfa/recovery-codes", headers=headers)
        await enable(stage, headers)
        again = await stage.client.post("/auth/mfa/totp", headers=headers)
        codes = [(answer.status_code, answer.json()["code"]) for answer in (early, off, none, again)]
        assert codes == [
            (409, "mfa_not_started"),
            (409, "mfa_not_enabled"),
            (409, "mfa_not_enabled"),
            (409, "mfa_enabled"),
        ]

    async def test_secrets_are_sealed_or_hashed(self, stage: Stage) -> None:
        user, secret, recovery = await protected(stage)
        token = await first_step(stage, user)
        rows = [
            *await TotpFactor.filter_by().all(),
            *await RecoveryCode.filter_by().all(),
            *await MfaChallenge.filter_by().all(),
        ]
        stored = repr([row.to_dict() for row in rows]).lower()
        for plain in (secret, token, *recovery, *(code.replace("-", "") for code in recovery)):
            assert plain.lower() not in stored

    @pytest.mark.parametrize(("method", "path"), [("POST", "totp"), ("DELETE", "totp"), ("POST", "recovery-codes")])
    async def test_recent_authentication_is_required(self, stage: Stage, method: str, path: str) -> None:
        headers = await stage.signed_in(await stage.user())
        await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))
        answer = await stage.client.request(method, f"/auth/mfa/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")


class TestVerify:
    async def test_code_completes_the_sign_in(self, each_stage: Stage) -> None:
        user, secret, _ = await protected(each_stage)
        answer = await second_step(each_stage, await first_step(each_stage, user), code_of(secret))
        assert answer.status_code == 200
        claims = claims_of(answer)
        assert claims["amr"] == ["pwd", "otp", "mfa"]
        token = bearer(answer.json()["access_token"])
        assert (await each_stage.client.get("/auth/me", headers=token)).status_code == 200

    async def test_code_works_once_even_in_another_sign_in(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        first, second = await first_step(stage, user), await first_step(stage, user)
        code = code_of(secret)
        assert (await second_step(stage, first, code)).status_code == 200
        answer = await second_step(stage, second, code)
        assert (answer.status_code, answer.json()["code"]) == (403, "mfa_code_refused")

    async def test_code_opens_one_session_when_uses_are_concurrent(self, each_stage: Stage) -> None:
        user, secret, _ = await protected(each_stage)
        tokens = [await first_step(each_stage, user) for _ in range(5)]
        code = code_of(secret)
        answers = await asyncio.gather(*(second_step(each_stage, token, code) for token in tokens))
        assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403]

    async def test_token_works_once(self, stage: Stage) -> None:
        user, secret, recovery = await protected(stage)
        token = await first_step(stage, user)
        assert (await second_step(stage, token, code_of(secret))).status_code == 200
        answer = await second_step(stage, token, recovery[0])
        assert (answer.status_code, answer.json()["code"]) == (401, "mfa_expired")
        assert await RecoveryCode.filter_by(user_id=user.id).count() == 10

    async def test_wrong_code_leaves_the_sign_in_open(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        token = await first_step(stage, user)
        wrong = await second_step(stage, token, code_of(secret, steps=5))
        assert (wrong.status_code, wrong.json()["code"]) == (403, "mfa_code_refused")
        assert (await second_step(stage, token, code_of(secret))).status_code == 200
        assert await AuditEntry.filter_by(action="mfa.code_refused", subject_id=user.id).count() == 1

    async def test_recovery_code_works_once_in_any_spelling(self, each_stage: Stage) -> None:
        user, _, recovery = await protected(each_stage)
        spelled = recovery[0].upper().replace("-", " ")
        answer = await second_step(each_stage, await first_step(each_stage, user), spelled)
        assert (answer.status_code, claims_of(answer)["amr"]) == (200, ["pwd", "mfa"])
        again = await second_step(each_stage, await first_step(each_stage, user), recovery[0])
        assert again.status_code == 403
        [notice] = await each_stage.notices("mfa.recovery_code_used")
        assert notice.subject == "9"

    async def test_code_of_another_account_is_refused(self, stage: Stage) -> None:
        victim, _, _ = await protected(stage)
        _, secret, recovery = await protected(stage)
        token = await first_step(stage, victim)
        for code in (code_of(secret), recovery[0]):
            assert (await second_step(stage, token, code)).status_code == 403

    async def test_expired_or_invented_token_is_refused(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        token = await first_step(stage, user)
        await MfaChallenge.filter_by().unfiltered().update(expires_at=datetime.now(UTC))
        for used in (token, "invented"):
            answer = await second_step(stage, used, code_of(secret))
            assert (answer.status_code, answer.json()["code"]) == (401, "mfa_expired")

    async def test_new_password_voids_sign_ins_that_wait(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        token = await first_step(stage, user)
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        mail = (await stage.mails())[-1]
        await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": f"{PASSWORD} 2"})
        assert (await second_step(stage, token, code_of(secret))).status_code == 401

    async def test_blocked_account_is_refused(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        token = await first_step(stage, user)
        async with stage.database.unit():
            await stage.users.block(await User.get(user.id))
        assert (await second_step(stage, token, code_of(secret))).status_code == 401

    async def test_mfa_token_is_no_access_or_refresh_token(self, stage: Stage) -> None:
        user, _, _ = await protected(stage)
        token = await first_step(stage, user)
        assert (await stage.client.get("/auth/me", headers=bearer(token))).status_code == 401
        assert (await stage.client.post("/auth/refresh", json={"refresh_token": token})).status_code == 401

    @pytest.mark.parametrize("body", [{"code": ""}, {"code": "1" * 65}, {"code": 123456}, {}])
    async def test_malformed_code_is_refused(self, stage: Stage, body: dict[str, object]) -> None:
        answer = await stage.client.post(VERIFY, json={"mfa_token": "x", **body})
        assert (answer.status_code, error_fields(answer)) == (422, ["body.code"])


class TestGuesses:
    async def test_right_code_in_a_burst_of_guesses_is_refused_like_the_others(self, each_stage: Stage) -> None:
        user, secret, _ = await protected(each_stage)
        token = await first_step(each_stage, user)
        wrong = code_of(secret, steps=7)
        await second_step(each_stage, token, wrong)
        later = datetime.now(UTC) + timedelta(hours=1)
        await LoginFailures.filter_by().unfiltered().update(blocked_until=later, expires_at=later, failures=1000)
        guesses = [wrong] * 10 + [code_of(secret)] + [wrong] * 10
        answers = await asyncio.gather(*(second_step(each_stage, token, guess) for guess in guesses))
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(429, "too_many_logins")}


class TestGuessLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "login_failures": "3"})

    async def test_concurrent_guesses_do_not_pass_the_limit_together(self, each_stage: Stage) -> None:
        user, secret, _ = await protected(each_stage)
        token, wrong = await first_step(each_stage, user), code_of(secret, steps=7)
        statuses = [
            answer.status_code
            for answer in await asyncio.gather(*(second_step(each_stage, token, wrong) for _ in range(20)))
        ]
        assert 429 in statuses
        assert set(statuses) == {403, 429}


class TestBrowser:
    async def test_browser_keeps_the_token_in_a_cookie(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        async with stage.browser() as browser:
            asked = await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
            assert asked.json()["mfa_required"] is True
            assert not {"access-8000", "refresh-8000", "device-8000"} & set(browser.cookies)
            answer = await browser.post(VERIFY, json={"code": code_of(secret)})
            assert answer.json()["token_type"] == "Cookie"
            assert {"access-8000", "refresh-8000", "device-8000"} <= set(browser.cookies)
            assert "mfa-8000" not in browser.cookies
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_cookie_is_refused_from_another_site(self, stage: Stage) -> None:
        user, secret, _ = await protected(stage)
        async with stage.browser() as browser:
            await browser.post("/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD})
            answer = await browser.post(
                VERIFY, json={"code": code_of(secret)}, headers={"sec-fetch-site": "cross-site"}
            )
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")

    async def test_sign_in_with_a_provider_takes_a_code_as_well(self, each_stage: Stage) -> None:
        person = Person(email=each_stage.new_address())
        async with each_stage.browser() as browser:
            await each_stage.sign_in_with("google", person, browser=browser)
            secret = (await browser.post("/auth/mfa/totp")).json()["secret"]
            await confirm(browser, secret)
        async with each_stage.browser() as browser:
            back = await each_stage.sent_back(browser, "google", person, next_path="/guilds")
            asked = await browser.get(back)
            assert (asked.status_code, asked.headers["location"]) == (303, "/login/code?next=%2Fguilds")
            assert (await browser.get("/auth/me")).status_code == 401
            await browser.post(VERIFY, json={"code": code_of(secret)})
            claims = jwt.decode(browser.cookies["access-8000"], options={"verify_signature": False})
            assert claims["amr"] == ["fed", "otp", "mfa"]
            assert (await browser.get("/auth/me")).status_code == 200


class TestReauthenticate:
    async def test_password_and_code_are_both_required(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        secret, _ = await enable(stage, headers)
        path = "/auth/reauthenticate"
        alone = await stage.client.post(path, json={"password": PASSWORD}, headers=headers)
        assert (alone.status_code, error_fields(alone)) == (422, ["body.code"])
        code_alone = await stage.client.post(path, json={"code": code_of(secret)}, headers=headers)
        assert (code_alone.status_code, error_fields(code_alone)) == (422, ["body.password"])
        wrong = await stage.client.post(
            path, json={"password": PASSWORD, "code": code_of(secret, steps=9)}, headers=headers
        )
        assert (wrong.status_code, wrong.json()["code"]) == (403, "mfa_code_refused")
        right = await stage.client.post(path, json={"password": PASSWORD, "code": code_of(secret)}, headers=headers)
        assert (right.status_code, claims_of(right)["amr"]) == (200, ["pwd", "otp", "mfa"])

    async def test_account_without_a_password_confirms_by_a_code(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("google", Person(email=stage.new_address()), browser=browser)
            secret = (await browser.post("/auth/mfa/totp")).json()["secret"]
            await confirm(browser, secret)
            answer = await browser.post("/auth/reauthenticate", json={"code": code_of(secret)})
        assert answer.status_code == 200


class TestTurningOff:
    async def test_sign_in_takes_no_code_afterwards_and_the_owner_is_notified(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        headers = await each_stage.signed_in(user)
        await enable(each_stage, headers)
        assert (await each_stage.client.delete("/auth/mfa/totp", headers=headers)).status_code == 204
        assert "access_token" in (await each_stage.login(user.email)).json()
        assert await RecoveryCode.row_count() == await TotpFactor.row_count() == 0
        assert len(await each_stage.notices("mfa.disabled")) == 1

    async def test_new_recovery_codes_replace_the_earlier_ones(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        _, old = await enable(stage, headers)
        new = (await stage.client.post("/auth/mfa/recovery-codes", headers=headers)).json()["recovery_codes"]
        assert set(old).isdisjoint(new)
        assert (await second_step(stage, await first_step(stage, user), old[0])).status_code == 403
        assert (await second_step(stage, await first_step(stage, user), new[0])).status_code == 200
