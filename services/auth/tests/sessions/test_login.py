"""`POST /auth/login`."""

import asyncio
import time

import httpx
import jwt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from bongsu.identity import audit
from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu_auth.accounts.passwords import PasswordHasher, Verdict
from bongsu_auth.sessions.models import LoginFailures
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import PASSWORD, REAL_COST, Stage, bearer, error_fields

WRONG = "wrong password"
WEAK = Argon2Hasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
"""Cheaper than today's hashes."""


class TestLogin:
    async def test_right_password_gives_tokens(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        answer = await each_stage.login(user.email)
        body = answer.json()
        assert answer.status_code == 200
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
        assert answer.headers["cache-control"] == "no-store"
        me = await each_stage.client.get("/auth/me", headers=bearer(body["access_token"]))
        assert me.json()["id"] == str(user.id)

    async def test_access_token_verifies_with_the_published_key(self, stage: Stage) -> None:
        user = await stage.user()
        token = (await stage.login(user.email)).json()["access_token"]
        jwks = await stage.client.get("/.well-known/jwks.json")
        assert jwks.headers["cache-control"] == "public, max-age=300"
        kid = jwt.get_unverified_header(token)["kid"]
        [key] = [jwt.PyJWK(one) for one in jwks.json()["keys"] if one["kid"] == kid]
        claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="bongsu", issuer="http://localhost:8000")
        assert set(claims) == {
            "iss", "sub", "aud", "exp", "iat", "jti", "sid", "role", "scope", "auth_time", "amr",
        }  # fmt: skip
        assert (claims["sub"], claims["role"], claims["amr"]) == (str(user.id), "user", ["pwd"])

    async def test_wrong_password_unknown_address_and_blocked_account_get_the_same_response(self, stage: Stage) -> None:
        user, blocked = await stage.user(), await stage.user()
        await blocked.update(status="blocked")
        answers = []
        for email, password in (
            (user.email, "wrong password"),
            (stage.new_address(), PASSWORD),
            (blocked.email, PASSWORD),
        ):
            async with stage.browser() as browser:
                answers.append(
                    await browser.post(
                        "/auth/login",
                        json={"email": email, "password": password},
                        headers={"x-request-id": "same"},
                    )
                )
        assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}

    async def test_refused_sign_in_is_audited_and_counted(self, stage: Stage) -> None:
        user = await stage.user()
        assert (await stage.login(user.email, WRONG)).status_code == 401
        assert await AuditEntry.filter_by(action="session.opened").count() == 0
        [refused] = await AuditEntry.filter_by(action="session.sign_in_failed").all()
        assert (refused.subject_id, refused.actor_id, refused.address) == (user.id, None, "127.0.0.1")
        assert await LoginFailures.row_count() > 0
        assert (await stage.login(user.email)).status_code == 200
        assert await AuditEntry.filter_by(action="session.opened").count() == 1

    async def test_session_is_not_opened_when_the_audit_log_fails(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()

        async def record_all(*_arguments: object, **_options: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(audit, "record_all", record_all)
        assert (await stage.login(user.email)).status_code == 500
        assert await UserSession.row_count() == 0

    async def test_address_matches_in_any_spelling(self, stage: Stage) -> None:
        user = await stage.user()
        assert (await stage.login(user.email.upper())).status_code == 200

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"email": "x", "password": PASSWORD}, "body.email"),
            ({"email": "a@example.com"}, "body.password"),
            ({"email": "a@example.com", "password": ""}, "body.password"),
            ({"email": "a@example.com", "password": "x" * 257}, "body.password"),
            ({"email": "a@example.com", "password": PASSWORD, "otp": 1}, "body.otp"),
        ],
    )
    async def test_bad_field_is_named(self, stage: Stage, body: dict[str, object], field: str) -> None:
        answer = await stage.client.post("/auth/login", json=body)
        assert (answer.status_code, error_fields(answer)) == (422, [field])

    @REAL_COST
    async def test_old_hash_is_replaced_on_sign_in(self, stage: Stage) -> None:
        user = await stage.user()
        await user.update(hashed_password=WEAK.hash(PASSWORD))
        assert (await stage.login(user.email)).status_code == 200
        await user.refresh()
        assert "m=19456,t=2,p=1" in user.hashed_password
        assert (await stage.login(user.email)).status_code == 200

    @REAL_COST
    async def test_concurrent_sign_ins_that_replace_an_old_hash_all_get_in(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        await user.update(hashed_password=WEAK.hash(PASSWORD))
        answers = await asyncio.gather(*(each_stage.login(user.email) for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4

    @REAL_COST
    async def test_old_password_is_refused_when_replaced_while_its_old_hash_is_checked(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user, verify = await stage.user(), PasswordHasher.verify
        await user.update(hashed_password=WEAK.hash(PASSWORD))

        async def verify_then_replace(hasher: PasswordHasher, password: str, hashed: str | None) -> Verdict:
            verdict = await verify(hasher, password, hashed)
            if verdict.rehashed is not None:
                await User.filter_by(id=user.id).update(hashed_password=await hasher.hash("another horse battery"))
            return verdict

        monkeypatch.setattr(PasswordHasher, "verify", verify_then_replace)
        assert (await stage.login(user.email)).status_code == 401


class TestCookies:
    async def sign_in(self, browser: httpx.AsyncClient, user: User, **headers: str) -> httpx.Response:
        return await browser.post(
            "/auth/login?cookie=true", json={"email": user.email, "password": PASSWORD}, headers=headers
        )

    async def test_tokens_are_in_cookies_and_not_in_the_body(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            answer = await self.sign_in(browser, await stage.user())
            assert answer.json() == {"token_type": "Cookie", "expires_in": 900}
            assert {"access-8000", "refresh-8000"} <= set(browser.cookies)
            assert all("HttpOnly" in cookie for cookie in answer.headers.get_list("set-cookie"))
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_sign_in_from_another_site_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            answer = await self.sign_in(browser, await stage.user(), origin="https://evil.example")
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")

    async def test_change_from_another_site_is_refused(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await self.sign_in(browser, await stage.user())
            for method, path in (
                ("PATCH", "/auth/me"),
                ("POST", "/auth/api-keys"),
                ("POST", "/auth/refresh"),
                ("POST", "/auth/logout"),
                ("DELETE", "/auth/sessions"),
            ):
                answer = await browser.request(method, path, json={}, headers={"origin": "https://evil.example"})
                assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), path
            assert (await browser.get("/auth/me")).status_code == 200

    async def test_refresh_by_cookie_sets_new_cookies(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await self.sign_in(browser, await stage.user())
            before = dict(browser.cookies)
            answer = await browser.post("/auth/refresh")
            assert answer.json() == {"token_type": "Cookie", "expires_in": 900}
            assert browser.cookies["refresh-8000"] != before["refresh-8000"]

    async def test_logout_deletes_the_cookies(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await self.sign_in(browser, await stage.user())
            assert (await browser.post("/auth/logout")).status_code == 204
            assert "access-8000" not in browser.cookies
            assert "refresh-8000" not in browser.cookies


class TestLimits:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(login_failures=3, login_failures_account=6, login_failures_address=1000, login_wait_s=900)

    async def attempt(self, browser: httpx.AsyncClient, email: str, password: str = WRONG) -> httpx.Response:
        return await browser.post("/auth/login", json={"email": email, "password": password})

    async def test_wait_grows_with_each_guess(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        async with each_stage.browser() as browser:
            codes = [(await self.attempt(browser, user.email)).status_code for _ in range(3)]
            answer = await self.attempt(browser, user.email, PASSWORD)
        assert codes == [401, 401, 401]
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_logins")
        assert int(answer.headers["retry-after"]) >= 1

    @pytest.mark.parametrize("path", ["/auth/login", "/auth/reauthenticate"])
    async def test_hundred_concurrent_guesses_reveal_nothing(self, each_stage: Stage, path: str) -> None:
        """Every refused answer is the same, and the right password is not checked once the guesses are used up."""
        user, stage = await each_stage.user(), each_stage
        headers = await stage.signed_in(user) if path != "/auth/login" else {}
        async with stage.browser() as browser:
            body = {"password": WRONG} | ({} if headers else {"email": user.email})
            await browser.post(path, json=body, headers=headers)
        # The next guess is the last for minutes.
        await LoginFailures.filter_by(failures__gt=0).update(failures=12)
        passwords = [f"{WRONG} {number}" for number in range(99)] + [PASSWORD]

        async def attempt(password: str) -> httpx.Response:
            body = {"password": password} | ({} if headers else {"email": user.email})
            return await stage.client.post(path, json=body, headers={**headers, "x-request-id": "same"})

        answers = await asyncio.gather(*map(attempt, passwords))
        wrong = 403 if headers else 401
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [wrong] + [429] * 99
        assert statuses[-1] == 429
        assert len({answer.content for answer in answers if answer.status_code == 429}) == 1

    async def test_concurrent_right_passwords_are_all_accepted(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        answers = await asyncio.gather(*(each_stage.login(user.email) for _ in range(30)))
        assert {answer.status_code for answer in answers} == {200}

    async def test_concurrent_right_passwords_at_two_instances_are_all_accepted(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        async with each_stage.two_instances() as instances:
            body = {"email": user.email, "password": PASSWORD}
            answers = await asyncio.gather(
                *(instances[number % 2].post("/auth/login", json=body) for number in range(20))
            )
        assert [answer.status_code for answer in answers] == [200] * 20
        assert {(row.failures, row.pending) for row in await LoginFailures.query().all()} == {(0, 0)}

    async def test_known_device_gets_in_when_others_guess_behind_its_address(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        async with each_stage.browser() as owner, each_stage.browser() as attacker:
            await self.attempt(owner, user.email, PASSWORD)
            for _ in range(6):
                await self.attempt(attacker, user.email)
            assert (await self.attempt(attacker, user.email, PASSWORD)).status_code == 429
            assert (await self.attempt(owner, user.email, PASSWORD)).status_code == 200

    async def test_device_of_another_account_is_a_strangers(self, stage: Stage) -> None:
        mine, victim = await stage.user(), await stage.user()
        async with stage.browser() as attacker:
            for _ in range(3):
                await self.attempt(attacker, victim.email)
            await self.attempt(attacker, mine.email, PASSWORD)
            assert (await self.attempt(attacker, victim.email, PASSWORD)).status_code == 429

    async def test_addresses_of_one_ipv6_network_count_as_one(self, stage: Stage) -> None:
        codes = []
        for number in range(4):
            async with stage.browser(address=f"2001:db8:1:2::{number:x}") as browser:
                codes.append((await self.attempt(browser, "a@example.com")).status_code)
        async with stage.browser(address="2001:db8:1:3::1") as browser:
            codes.append((await self.attempt(browser, "a@example.com")).status_code)
        assert codes == [401, 401, 401, 429, 401]

    async def test_unknown_address_has_to_wait_as_well(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            codes = [(await self.attempt(browser, "nobody@example.com")).status_code for _ in range(4)]
        assert codes == [401, 401, 401, 429]

    async def test_success_resets_the_failures(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.browser() as browser:
            for _ in range(2):
                await self.attempt(browser, user.email)
            assert (await self.attempt(browser, user.email, PASSWORD)).status_code == 200
            for _ in range(3):
                assert (await self.attempt(browser, user.email)).status_code == 401

    async def test_many_attackers_lock_out_other_devices_but_not_a_known_one(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.browser(address="192.0.2.1") as owner:
            assert (await self.attempt(owner, user.email, PASSWORD)).status_code == 200
            for number in range(6):
                async with stage.browser(address=f"198.51.100.{number}") as attacker:
                    await self.attempt(attacker, user.email)
            async with stage.browser(address="203.0.113.9") as stranger:
                assert (await self.attempt(stranger, user.email, PASSWORD)).status_code == 429
            assert (await self.attempt(owner, user.email, PASSWORD)).status_code == 200

    async def test_spoofed_forwarding_does_not_reset_the_count(self, stage: Stage) -> None:
        codes = []
        async with stage.browser(address="198.51.100.7") as browser:
            for number in range(4):
                answer = await browser.post(
                    "/auth/login",
                    json={"email": "a@example.com", "password": "wrong password"},
                    headers={"x-forwarded-for": f"203.0.113.{number}"},
                )
                codes.append(answer.status_code)
        assert codes == [401, 401, 401, 429]


@REAL_COST
class TestStorm:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(password_queue=10, login_failures=10_000)

    async def test_login_gets_503_when_the_queue_is_full(self, stage: Stage) -> None:
        answers = await asyncio.gather(*(stage.login(f"{number}@example.com") for number in range(60)))
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {401, 503}
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.json()["code"] == "password_queue_full"
        assert int(refused.headers["retry-after"]) >= 1

    @pytest.mark.parametrize("settings", [AuthSettings(login_failures=10_000)], ids=["queued"])
    async def test_event_loop_responds_during_a_storm(self, stage: Stage) -> None:
        storm = asyncio.gather(*(stage.login(f"{number}@example.com") for number in range(100)))
        held_s, ended_s = list[float](), time.thread_time()
        # Samples how long a turn holds the loop, in time of its thread, which does not depend on other processes.
        while not storm.done():
            assert (await stage.client.get("/healthz")).status_code == 200
            await asyncio.sleep(0.005)
            held_s.append(time.thread_time() - ended_s)
            ended_s += held_s[-1]
        await storm
        assert max(held_s) < 0.5
