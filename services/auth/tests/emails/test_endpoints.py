"""`/auth/email`: a new address."""

import asyncio
from datetime import UTC, datetime, timedelta

from bongsu.identity.models import User, UserSession
from bongsu_auth.accounts.links import MAX_PER_HOUR
from bongsu_auth.accounts.models import MailLink, Registration
from bongsu_auth.sessions.recent import RECENT
from services.auth.tests.providers import Person
from services.auth.tests.stage import Mail, Stage, error_fields


async def ask(stage: Stage, headers: dict[str, str], email: str) -> Mail:
    """Request a change. Returns the mail to the new address."""
    answer = await stage.client.put("/auth/email", json={"email": email}, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    return [mail for mail in await stage.mails() if mail.to == email.lower()][-1]


class TestChange:
    async def test_address_changes_when_the_new_one_is_confirmed(self, each_stage: Stage) -> None:
        user, new = await each_stage.user(), each_stage.new_address()
        headers = await each_stage.signed_in(user)
        mail = await ask(each_stage, headers, new.upper())
        assert (mail.template, mail.link.partition("?")[0]) == (
            "confirm-email",
            "http://localhost:8000/email/confirm",
        )
        [asked] = await each_stage.notices("email.change_requested")
        assert (asked.to, asked.subject) == (user.email, new)
        assert (await each_stage.login(user.email)).status_code == 200
        assert (await each_stage.client.post("/auth/email/confirm", json={"token": mail.token})).status_code == 204
        assert (await each_stage.login(user.email)).status_code == 401
        assert (await each_stage.login(new)).status_code == 200
        [changed] = await each_stage.notices("email.changed")
        assert (changed.to, changed.subject) == (user.email, new)
        me = await each_stage.client.get("/auth/me", headers=headers)
        assert (me.json()["email"], me.json()["email_verified"]) == (new, True)

    async def test_response_for_a_taken_address_is_the_same_and_its_owner_gets_no_link(self, stage: Stage) -> None:
        other, headers = await stage.user(), await stage.signed_in(await stage.user())
        mail = await ask(stage, headers, other.email)
        assert (mail.template, "token" in mail.link) == ("account-exists", False)

    async def test_address_that_was_taken_meanwhile_is_refused(self, each_stage: Stage) -> None:
        user, new = await each_stage.user(), each_stage.new_address()
        mail = await ask(each_stage, await each_stage.signed_in(user), new)
        await each_stage.user(new)
        answer = await each_stage.client.post("/auth/email/confirm", json={"token": mail.token})
        assert (answer.status_code, answer.json()["code"]) == (400, "link_refused")
        assert (await User.get(user.id)).email_norm == user.email_norm

    async def test_one_of_two_accounts_gets_an_address_when_they_confirm_it_concurrently(
        self, each_stage: Stage
    ) -> None:
        new = each_stage.new_address()
        mails = [await ask(each_stage, await each_stage.signed_in(await each_stage.user()), new) for _ in range(2)]
        answers = await asyncio.gather(
            *(each_stage.client.post("/auth/email/confirm", json={"token": mail.token}) for mail in mails)
        )
        assert sorted(answer.status_code for answer in answers) == [204, 400]
        assert await User.filter_by(email_norm=new).count() == 1

    async def test_recent_authentication_is_required(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))
        answer = await stage.client.put("/auth/email", json={"email": stage.new_address()}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
        assert await stage.mails() == []

    async def test_own_or_invalid_address_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        for email in (user.email, "nowhere"):
            answer = await stage.client.put("/auth/email", json={"email": email}, headers=headers)
            assert (answer.status_code, error_fields(answer)) == (422, ["body.email"])

    async def test_requests_of_one_user_are_limited(self, each_stage: Stage) -> None:
        headers = await each_stage.signed_in(await each_stage.user())
        answers = await asyncio.gather(
            *(
                each_stage.client.put("/auth/email", json={"email": each_stage.new_address()}, headers=headers)
                for _ in range(MAX_PER_HOUR + 2)
            )
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [202] * MAX_PER_HOUR + [429] * 2

    async def test_account_without_an_address_gets_one(self, stage: Stage) -> None:
        new = stage.new_address()
        async with stage.browser() as browser:
            await stage.sign_in_with("kakao", Person(email=None), browser=browser)
            assert (await browser.put("/auth/email", json={"email": new})).status_code == 202
            [mail] = await stage.mails()
            assert (await browser.post("/auth/email/confirm", json={"token": mail.token})).status_code == 204
            assert (await browser.get("/auth/me")).json()["email"] == new


class TestConfirm:
    async def test_token_works_once_and_for_its_purpose_only(self, stage: Stage) -> None:
        user = await stage.user()
        mail = await ask(stage, await stage.signed_in(user), stage.new_address())
        misused = await stage.client.post(
            "/auth/password/reset", json={"token": mail.token, "password": "another horse, another battery"}
        )
        assert misused.status_code == 400
        statuses = [
            (await stage.client.post("/auth/email/confirm", json={"token": mail.token})).status_code for _ in range(2)
        ]
        assert statuses == [204, 400]

    async def test_pending_change_is_void_after_a_password_reset(self, stage: Stage) -> None:
        user = await stage.user()
        mail = await ask(stage, await stage.signed_in(user), stage.new_address())
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        reset = (await stage.mails())[-1]
        await stage.client.post(
            "/auth/password/reset", json={"token": reset.token, "password": "another horse, another battery"}
        )
        assert (await stage.client.post("/auth/email/confirm", json={"token": mail.token})).status_code == 400

    async def test_sign_ups_for_the_address_are_void(self, stage: Stage) -> None:
        new = stage.new_address()
        await stage.register(new)
        mail = await ask(stage, await stage.signed_in(await stage.user()), new)
        await stage.client.post("/auth/email/confirm", json={"token": mail.token})
        assert await Registration.row_count() == 0

    async def test_token_is_stored_as_a_digest(self, stage: Stage) -> None:
        mail = await ask(stage, await stage.signed_in(await stage.user()), stage.new_address())
        [row] = await MailLink.filter_by().all()
        assert mail.token not in repr(row.to_dict())
