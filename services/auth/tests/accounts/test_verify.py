"""`POST /auth/verify` and `/auth/verify/resend`."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx

from bongsu.identity.models import AuditEntry, User
from bongsu_auth.accounts.mails import MAX_MAILS
from bongsu_auth.accounts.manager import MAX_ATTEMPTS
from bongsu_auth.accounts.models import Registration
from services.auth.tests.stage import PASSWORD, REAL_COST, Stage
from services.auth.tests.timing import took


class TestVerify:
    async def test_browser_that_signed_up_needs_no_password(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await browser.post("/auth/register", json={"email": "a@example.com", "password": PASSWORD})
            [mail] = await stage.mails()
            assert (await browser.post("/auth/verify", json={"token": mail.token})).status_code == 200

    async def test_another_browser_needs_the_password(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        for token in (mail.token, "unknown"):
            answer = await stage.client.post("/auth/verify", json={"token": token})
            assert (answer.status_code, answer.json()["code"]) == (400, "password_required")

    async def test_refusals_are_the_same(self, stage: Stage) -> None:
        used, old = stage.new_address(), stage.new_address()
        for email in (used, old, stage.new_address()):
            await stage.register(email)
        used_mail, old_mail, wrong_mail = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": used_mail.token, "password": PASSWORD})
        await Registration.filter_by(email_norm=old).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        answers = [
            await stage.client.post(
                "/auth/verify", json={"token": token, "password": password}, headers={"x-request-id": "same"}
            )
            for token, password in (
                ("unknown", PASSWORD),
                ("\ud55c", PASSWORD),
                (used_mail.token, PASSWORD),
                (old_mail.token, PASSWORD),
                (wrong_mail.token, "wrong password"),
            )
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(400, answers[0].content)}
        assert answers[0].json()["code"] == "verification_refused"

    @REAL_COST
    async def test_wrong_password_and_unknown_token_take_the_same_time(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        worked_s = []
        for token in ("unknown", mail.token):
            body = {"token": token, "password": "wrong password"}
            await stage.client.post("/auth/verify", json=body)
            worked_s.append((await took(stage.client.post("/auth/verify", json=body))).worked_s)
        assert min(worked_s) > 0.01  # argon2 ran both times

    async def test_token_creates_the_account_of_its_own_sign_up_only(self, stage: Stage) -> None:
        """A squatter signs up with the victim's address first: the victim's link must not activate that password."""
        email = stage.new_address()
        await stage.register(email, "squatter's password")
        await stage.register(email, PASSWORD, name="victim")
        squatters, victims = await stage.mails()
        answer = await stage.client.post("/auth/verify", json={"token": squatters.token, "password": PASSWORD})
        assert answer.status_code == 400
        answer = await stage.client.post("/auth/verify", json={"token": victims.token, "password": PASSWORD})
        assert answer.status_code == 200
        assert (await stage.login(email, "squatter's password")).status_code == 401
        assert (await stage.login(email, PASSWORD)).status_code == 200
        answer = await stage.client.post(
            "/auth/verify", json={"token": squatters.token, "password": "squatter's password"}
        )
        assert answer.status_code == 400

    async def test_token_works_once_in_two_concurrent_requests(self, each_stage: Stage) -> None:
        await each_stage.register("a@example.com")
        [mail] = await each_stage.mails()
        body = {"token": mail.token, "password": PASSWORD}
        answers = await asyncio.gather(*(each_stage.client.post("/auth/verify", json=body) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
        assert await User.row_count() == 1

    async def test_token_is_refused_after_too_many_wrong_passwords(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        for _ in range(MAX_ATTEMPTS):
            await stage.client.post("/auth/verify", json={"token": mail.token, "password": "wrong password"})
        answer = await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        assert answer.status_code == 400

    async def test_new_account_is_in_the_audit_log(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        [mail] = await stage.mails()
        await stage.client.post("/auth/verify", json={"token": mail.token, "password": PASSWORD})
        [entry] = await AuditEntry.query().all()
        assert (entry.action, entry.address) == ("account.created", "127.0.0.1")


class TestResend:
    async def test_mail_is_sent_again_with_the_same_link(self, stage: Stage) -> None:
        await stage.register("a@example.com")
        answer = await stage.client.post("/auth/verify/resend", json={"email": "A@example.com"})
        assert answer.status_code == 202
        first, second = await stage.mails()
        assert first == second

    @REAL_COST
    async def test_address_without_a_sign_up_gets_the_same_response_and_no_mail(self, stage: Stage) -> None:
        async def resend(email: str) -> None:
            answers.append(await stage.client.post("/auth/verify/resend", json={"email": email}))

        answers: list[httpx.Response] = []
        waiting, not_waiting = [], []
        for number in range(3):
            await stage.register(f"a{number}@example.com")
            waiting.append((await took(resend(f"a{number}@example.com"))).elapsed_s)
            not_waiting.append((await took(resend(f"b{number}@example.com"))).elapsed_s)
        assert len({answer.content for answer in answers}) == 1
        assert abs(min(waiting) - min(not_waiting)) < 0.05  # a stalling machine does not stall six times
        assert len(await stage.mails()) == 2 * 3

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
