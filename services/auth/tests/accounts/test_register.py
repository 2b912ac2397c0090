"""`POST /auth/register`."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import event

from bongsu.identity.models import User
from bongsu.outbox.models import OutboxMessage
from bongsu_auth.accounts.models import Registration
from bongsu_auth.sessions.models import LoginFailures
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import PASSWORD, REAL_COST, Stage, error_fields


class TestRegister:
    async def test_new_address_gets_a_link_that_creates_the_account(self, each_stage: Stage) -> None:
        stage = each_stage
        answer = await stage.register("Jiwoo@Example.com", name="김지우", locale="ko")
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        [mail] = await stage.mails()
        assert (mail.template, mail.to, mail.locale) == ("verify-email", "jiwoo@example.com", "ko")
        assert mail.link.startswith("http://localhost:8000/verify?token=")
        verified = await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        assert (verified.status_code, verified.json()) == (200, {"status": "verified"})
        tokens = (await stage.login("jiwoo@example.com")).json()
        me = await stage.client.get("/auth/me", headers={"authorization": f"Bearer {tokens['access_token']}"})
        assert {name: me.json()[name] for name in ("email", "email_verified", "name", "locale", "role", "sending")} == {
            "email": "jiwoo@example.com",
            "email_verified": True,
            "name": "김지우",
            "locale": "ko",
            "role": "user",
            "sending": "trial",
        }

    async def test_login_before_verification_responds_like_a_wrong_password(self, stage: Stage) -> None:
        email = stage.new_address()
        await stage.register(email)
        before, wrong = await stage.login(email), await stage.login(stage.new_address())
        assert before.status_code == wrong.status_code == 401
        assert before.json() | {"request_id": ""} == wrong.json() | {"request_id": ""}

    async def test_owner_of_a_known_address_gets_a_mail_and_the_response_is_the_same(self, stage: Stage) -> None:
        user = await stage.user()
        known = await stage.register(user.email.upper())
        unknown = await stage.register(stage.new_address())
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
        assert known.headers.keys() == unknown.headers.keys()
        [mail, _] = await stage.mails()
        assert (mail.template, mail.to) == ("account-exists", user.email)
        assert "token" not in mail.link

    async def test_known_and_unknown_address_cost_the_same_statements(self, stage: Stage) -> None:
        user = await stage.user()
        await stage.register(stage.new_address())  # makes the counter of this client
        statements: list[str] = []
        event.listen(
            stage.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: statements.append(statement),
        )
        counted = []
        for email in (user.email, stage.new_address()):
            statements.clear()
            await stage.register(email)
            counted.append([one for one in statements if "revocations" not in one and "signing_keys" not in one])
        assert counted[0] == counted[1]
        assert len(counted[0]) > 3

    async def test_fifty_concurrent_sign_ups_for_one_address_create_one_account(self, each_stage: Stage) -> None:
        stage = each_stage
        answers = await asyncio.gather(*(stage.register("same@example.com") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {202}
        mails = await stage.mails()
        assert len(mails) > 1
        tokens = [mail.token for mail in mails]
        verified = await asyncio.gather(
            *(stage.client.post("/auth/verify", json={"token": token, "password": PASSWORD}) for token in tokens)
        )
        codes = [answer.status_code for answer in verified]
        assert codes.count(200) == 1
        assert set(codes) <= {200, 400}
        assert await User.filter_by(email_norm="same@example.com").count() == 1

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"email": "not an address"}, "body.email"),
            ({"email": "a@b"}, "body.email"),
            ({"email": "josé@example.com"}, "body.email"),
            ({"email": "\u212aim@example.com"}, "body.email"),
            ({"email": "d\u0131l@example.com"}, "body.email"),
            ({"email": None}, "body.email"),
            ({"email": "a\u0000@example.com"}, "body.email"),
            ({"email": "\ud800@example.com"}, "body.email"),
            ({"password": "short"}, "body.password"),
            ({"password": "x" * 257}, "body.password"),
            ({"password": "\ud800" * 12}, "body.password"),
            ({"password": "somebody@example.com"}, "body.password"),
            ({"password": 1234567890}, "body.password"),
            ({"name": ""}, "body.name"),
            ({"name": "a\u0000b"}, "body.name"),
            ({"name": "n" * 101}, "body.name"),
            ({"locale": "fr"}, "body.locale"),
            ({"role": "administrator"}, "body.role"),
            ({"id": "0" * 32}, "body.id"),
            ({"is_superuser": True}, "body.is_superuser"),
        ],
    )
    async def test_bad_field_is_named(self, stage: Stage, changes: dict[str, object], field: str) -> None:
        body = {"email": "somebody@example.com", "password": PASSWORD, **changes}
        answer = await stage.client.post(
            "/auth/register", content=json.dumps(body), headers={"content-type": "application/json"}
        )
        assert (answer.status_code, error_fields(answer)) == (422, [field])
        assert str(changes.get("password", "\0")) not in answer.text
        assert await Registration.row_count() == 0

    async def test_error_says_how_long_a_password_is(self, stage: Stage) -> None:
        answer = await stage.register("a@example.com", "short")
        assert "10 to 256 characters" in answer.json()["errors"][0]["msg"]

    @pytest.mark.parametrize("password", ["x" * 10, "x" * 64, "비밀번호" * 16, "🔥" * 256])
    async def test_long_and_korean_passwords_are_accepted(self, stage: Stage, password: str) -> None:
        email = stage.new_address()
        assert (await stage.register(email, password)).status_code == 202
        [mail] = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": mail.token, "password": password})
        assert (await stage.login(email, password)).status_code == 200

    async def test_password_matches_in_either_unicode_composition_of_hangul(self, stage: Stage) -> None:
        email = stage.new_address()
        async with stage.browser() as browser:
            password = "\u1107\u1175\u1106\u1175\u11af" * 5
            await browser.post("/auth/register", json={"email": email, "password": password})
            [mail] = await stage.mails()
            await browser.post("/auth/verify", json={"token": mail.token})
        assert (await stage.login(email, "\ube44\ubc00" * 5)).status_code == 200

    async def test_two_megabyte_password_is_refused_fast(self, stage: Stage) -> None:
        began_s = time.process_time()  # processor time, which does not depend on other processes
        answer = await stage.register("a@example.com", "x" * 2_000_000)
        assert answer.status_code == 413
        assert time.process_time() - began_s < 0.5

    @pytest.mark.parametrize("email", ["a@EXAMPLE.com", "A@example.com", " a@example.com "])
    async def test_spellings_of_one_address_are_one_account(self, stage: Stage, email: str) -> None:
        user = await stage.user("a@example.com")
        answer = await stage.register(email)
        if answer.status_code == 202:
            [mail] = await stage.mails()
            assert (mail.template, mail.to) == ("account-exists", user.email)
        else:
            assert error_fields(answer) == ["body.email"]

    async def test_trailing_dot_is_the_same_or_refused(self, stage: Stage) -> None:
        assert (await stage.register("a@example.com.")).status_code == 422

    async def test_domain_in_hangul_equals_its_ascii_form(self, stage: Stage) -> None:
        await stage.register("a@봉수.example")
        [mail] = await stage.mails()
        assert mail.to == "a@xn--9t4b11yi5a.example" or mail.to.startswith("a@xn--")

    @pytest.mark.parametrize(
        ("header", "locale"), [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("en-US", "en"), ("fr", "ko"), ("ko;q=0, en", "en")]
    )
    async def test_language_follows_accept_language(self, stage: Stage, header: str, locale: str) -> None:
        await stage.client.post(
            "/auth/register",
            json={"email": "a@example.com", "password": PASSWORD},
            headers={"accept-language": header},
        )
        [mail] = await stage.mails()
        assert mail.locale == locale

    @REAL_COST
    async def test_no_secret_is_stored_in_plain_text(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        [row] = await OutboxMessage.query().all()
        [registration] = await Registration.query().all()
        stored = json.dumps(row.body) + str(registration.to_dict())
        assert mail.token not in stored
        assert PASSWORD not in stored
        assert registration.hashed_password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    async def test_forged_host_changes_no_link(self, stage: Stage) -> None:
        await stage.client.post(
            "/auth/register",
            json={"email": "a@example.com", "password": PASSWORD},
            headers={"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"},
        )
        [mail] = await stage.mails()
        assert mail.link.startswith("http://localhost:8000/verify")


class TestMailLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(mails_per_hour=4)

    async def sign_up(self, stage: Stage, network: int = 1) -> httpx.Response:
        async with stage.browser(address=f"192.0.2.{network}") as browser:
            return await browser.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})

    async def test_network_causes_half_of_the_mails_and_the_response_stays_the_same(self, each_stage: Stage) -> None:
        answers = [await self.sign_up(each_stage) for _ in range(4)]
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
        assert len(await each_stage.mails()) == 2

    async def test_strangers_cannot_block_a_sign_up(self, each_stage: Stage) -> None:
        for network in (1, 1, 1, 2, 2, 2):
            await self.sign_up(each_stage, network)
        assert len(await each_stage.mails()) == 4
        for network in (3, 3, 4, 2):
            await self.sign_up(each_stage, network)
        assert len(await each_stage.mails()) == 6

    async def test_mails_to_one_address_end_at_twice_the_limit(self, stage: Stage) -> None:
        """The mails of this hour work for the address's owner, whoever caused them."""
        for network in range(12):
            await self.sign_up(stage, network)
        assert len(await stage.mails()) == 8

    async def test_resent_mails_count_towards_the_limit(self, each_stage: Stage) -> None:
        """Otherwise each sign-up by a stranger would allow more mails to the same address."""
        for _ in range(4):
            async with each_stage.browser() as browser:
                await browser.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})
                await browser.post("/auth/verify/resend", json={"email": "a@example.com"})
        assert len(await each_stage.mails()) == 2

    async def test_mails_are_sent_again_after_an_hour(self, stage: Stage) -> None:
        for _ in range(3):
            await stage.register("a@example.com")
        await Registration.filter_by(email_norm="a@example.com").update(
            updated_at=datetime.now(UTC) - timedelta(hours=1)
        )
        await stage.client.post("/auth/verify/resend", json={"email": "a@example.com"})
        assert len(await stage.mails()) == 3

    async def test_sign_up_is_not_stored_when_no_mail_is_sent(self, stage: Stage) -> None:
        for _ in range(5):
            await stage.register("a@example.com")
        assert await Registration.row_count() == 2


class TestSignUpLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(sign_ups_per_hour=3)

    async def sign_up(self, stage: Stage, email: str, *, address: str = "192.0.2.1") -> httpx.Response:
        async with stage.browser(address=address) as browser:
            return await browser.post("/auth/register", json={"email": email, "password": PASSWORD})

    async def test_client_is_refused_beyond_its_limit(self, each_stage: Stage) -> None:
        stage = each_stage
        answers = [await self.sign_up(stage, stage.new_address()) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "too_many_sign_ups"
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert len(await stage.mails()) == 3
        assert (await self.sign_up(stage, stage.new_address(), address="192.0.2.2")).status_code == 202

    async def test_concurrent_sign_ups_are_counted_one_by_one(self, each_stage: Stage) -> None:
        answers = await asyncio.gather(*(self.sign_up(each_stage, f"{number}@example.com") for number in range(8)))
        assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 5

    async def test_known_and_unknown_addresses_are_refused_equally_and_without_hashing(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()
        for _ in range(3):
            await self.sign_up(stage, stage.new_address())
        monkeypatch.setattr(stage.users._hasher, "hash", None)  # a call would fail
        refused = [(await self.sign_up(stage, email)).json() for email in (user.email, stage.new_address())]
        assert refused[0] | {"request_id": ""} == refused[1] | {"request_id": ""}

    async def test_resend_requests_count_towards_the_limit(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            codes = [
                (await browser.post("/auth/verify/resend", json={"email": stage.new_address()})).status_code
                for _ in range(4)
            ]
        assert codes == [202, 202, 202, 429]

    async def test_count_starts_again_in_the_next_hour(self, stage: Stage) -> None:
        for _ in range(3):
            await self.sign_up(stage, stage.new_address())
        await LoginFailures.query().unfiltered().update(expires_at=datetime.now(UTC))
        codes = [(await self.sign_up(stage, stage.new_address())).status_code for _ in range(4)]
        assert codes == [202, 202, 202, 429]
