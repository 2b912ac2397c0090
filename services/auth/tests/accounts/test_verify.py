"""`POST /auth/verify` and `/auth/verify/resend`."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.models import AuditEntry, User
from bongsu.runtime.errors import Unavailable
from bongsu_auth.accounts.mails import MAX_MAILS
from bongsu_auth.accounts.manager import MAX_ATTEMPTS
from bongsu_auth.accounts.models import Registration
from bongsu_auth.settings import AuthSettings
from services.auth.tests.stage import PASSWORD, Stage, error_fields


class TestVerify:
    async def test_browser_that_signed_up_needs_no_password(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await browser.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})
            [mail] = await stage.mails()
            assert (await browser.post("/auth/verify", json={"token": mail.token})).status_code == 200

    async def test_another_browser_needs_a_password(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        answer = await stage.client.post("/auth/verify", json={"token": mail.token})
        assert (answer.status_code, answer.json()["code"]) == (400, "password_required")

    async def test_password_replaces_that_of_the_sign_up(self, each_stage: Stage) -> None:
        """A stranger signed up with the address: its owner uses the stranger's mail, and the stranger stays out."""
        stage, email = each_stage, each_stage.new_address()
        async with stage.browser() as squatter:
            await squatter.post("/auth/register", json={"email": email, "password": "squatter's password"})
            [mail] = await stage.mails()
            answer = await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
            assert answer.status_code == 200
            assert (await squatter.post("/auth/verify", json={"token": mail.token})).status_code == 400
        assert (await stage.login(email, "squatter's password")).status_code == 401
        assert (await stage.login(email, PASSWORD)).status_code == 200

    async def test_cookie_of_another_sign_up_does_not_replace_the_password(self, stage: Stage) -> None:
        """The owner's browser has a sign-up of its own, and opens the stranger's mail."""
        await stage.register("a@example.com", "squatter's password")
        async with stage.browser() as owner:
            await owner.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})
            squatters, _ = await stage.mails()
            answer = await owner.post("/auth/verify", json={"token": squatters.token})
            assert (answer.status_code, answer.json()["code"]) == (400, "password_required")

    @pytest.mark.parametrize("password", ["short", "x" * 257, "somebody@example.com", "1234567890", 12345])
    async def test_password_follows_the_policy_and_the_link_stays_valid(self, stage: Stage, password: object) -> None:
        await stage.register("somebody@example.com")
        [mail] = await stage.mails()
        answer = await stage.client.post("/auth/verify", json={"token": mail.token, "password": password})
        assert (answer.status_code, error_fields(answer)) == (422, ["body.password"])
        answer = await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        assert answer.status_code == 200

    async def test_refusals_are_the_same_and_cost_no_hash(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        used, old = stage.new_address(), stage.new_address()
        for email in (used, old):
            await stage.register(email)
        used_mail, old_mail = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": used_mail.token, "password": PASSWORD})
        await Registration.filter_by(email_norm=old).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        monkeypatch.setattr(stage.users._hasher, "hash", None)  # a call would fail
        answers = [
            await stage.client.post(
                "/auth/verify", json={"token": token, "password": password}, headers={"x-request-id": "same"}
            )
            for token in ("unknown", "\ud55c", used_mail.token, old_mail.token)
            for password in (PASSWORD, None)
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(400, answers[0].content)}
        assert answers[0].json()["code"] == "verification_refused"

    async def test_token_works_once_in_two_concurrent_requests(self, each_stage: Stage) -> None:
        await each_stage.register("a@example.com")
        [mail] = await each_stage.mails()
        body = {"token": mail.token, "password": PASSWORD}
        answers = await asyncio.gather(*(each_stage.client.post("/auth/verify", json=body) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
        assert await User.row_count() == 1

    async def test_hashes_for_one_token_are_limited(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(_password: str) -> str:
            raise Unavailable("the queue is full")

        await stage.register("a@example.com")
        [mail] = await stage.mails()
        monkeypatch.setattr(stage.users._hasher, "hash", fail)
        body = {"token": mail.token, "password": PASSWORD}
        codes = [(await stage.client.post("/auth/verify", json=body)).status_code for _ in range(MAX_ATTEMPTS + 1)]
        assert codes == [503] * MAX_ATTEMPTS + [400]

    async def test_new_account_is_in_the_audit_log(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        [entry] = await AuditEntry.query().all()
        assert (entry.action, entry.address) == ("account.created", "127.0.0.1")


class TestLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings(sign_ups_per_hour=3)

    async def test_unknown_tokens_are_limited_and_a_link_works_beyond_the_limit(self, each_stage: Stage) -> None:
        await each_stage.register("a@example.com")
        [mail] = await each_stage.mails()
        answers = [await each_stage.client.post("/auth/verify", json={"token": f"unknown {n}"}) for n in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 429, 429]
        assert answers[-1].json()["code"] == "too_many_sign_ups"
        answer = await each_stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        assert answer.status_code == 200


class TestResend:
    async def test_mail_is_sent_again_with_the_same_link(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        answer = await stage.client.post("/auth/verify/resend", json={"email": "A@example.com"})
        assert answer.status_code == 202
        first, second = await stage.mails()
        assert first == second

    async def test_address_without_a_sign_up_gets_the_same_response_and_no_mail(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        answers = [
            await stage.client.post("/auth/verify/resend", json={"email": email})
            for email in ("a@example.com", "b@example.com")
        ]
        assert len({answer.content for answer in answers}) == 1
        assert [mail.to for mail in await stage.mails()] == ["a@example.com"] * 2

    async def test_mails_for_one_sign_up_are_limited(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        for _ in range(MAX_MAILS + 2):
            await stage.client.post("/auth/verify/resend", json={"email": "a@example.com"})
        assert len(await stage.mails()) == MAX_MAILS

    async def test_browser_gets_the_link_of_its_own_sign_up(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await browser.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})
            await stage.register("a@example.com", "somebody else's")
            await browser.post("/auth/verify/resend", json={"email": "a@example.com"})
            mine, _, again = await stage.mails()
            assert again.token == mine.token
