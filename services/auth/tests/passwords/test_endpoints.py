"""`/auth/password`: forgotten, reset and changed passwords."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.security import OAuth2PasswordRequestForm

from bongsu.identity.models import AuditEntry, User, UserSession
from bongsu_auth.accounts.links import MAX_PER_HOUR
from bongsu_auth.accounts.models import MailLink
from bongsu_auth.sessions.recent import RECENT
from bongsu_auth.settings import AuthSettings
from services.auth.tests.providers import SETTINGS, Person
from services.auth.tests.stage import PASSWORD, Mail, Stage, error_fields

NEW = "another horse, another battery"


async def forget(stage: Stage, email: str) -> Mail:
    """Request a link. Returns its mail."""
    answer = await stage.client.post("/auth/password/forgot", json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    return [mail for mail in await stage.mails() if mail.template == "reset-password"][-1]


async def make_old(user: User) -> None:
    """Let the last authentication of the user's sessions be too long ago."""
    await UserSession.filter_by(user_id=user.id).update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))


class TestForgot:
    async def test_owner_gets_a_link_in_their_language(self, stage: Stage) -> None:
        user = await stage.user()
        await user.update(locale="en")
        mail = await forget(stage, user.email.upper())
        assert (mail.to, mail.locale) == (user.email, "en")
        assert mail.link.startswith("http://localhost:8000/reset?token=")

    async def test_response_to_an_unknown_address_is_the_same_and_sends_nothing(self, stage: Stage) -> None:
        answer = await stage.client.post("/auth/password/forgot", json={"email": stage.new_address()})
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        assert await stage.mails() == []

    @pytest.mark.parametrize("attribute", ["is_active", "is_verified"])
    async def test_account_that_cannot_sign_in_gets_no_link(self, stage: Stage, attribute: str) -> None:
        user = await stage.user()
        setattr(user, attribute, False)
        await user.save()
        await stage.client.post("/auth/password/forgot", json={"email": user.email})
        assert await stage.mails() == []

    async def test_mails_are_limited_and_each_of_them_works(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        asked = [
            each_stage.client.post("/auth/password/forgot", json={"email": user.email}) for _ in range(MAX_PER_HOUR + 3)
        ]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {202}
        mails = await each_stage.mails()
        assert len(mails) == MAX_PER_HOUR
        answer = await each_stage.client.post("/auth/password/reset", json={"token": mails[0].token, "password": NEW})
        assert answer.status_code == 204

    async def test_token_is_stored_as_a_digest(self, stage: Stage) -> None:
        mail = await forget(stage, (await stage.user()).email)
        [row] = await MailLink.filter_by().all()
        assert mail.token not in repr(row.to_dict())


class TestForgotLimit:
    @pytest.fixture
    def settings(self) -> AuthSettings:
        return AuthSettings.model_validate({**SETTINGS, "sign_ups_per_hour": "3"})

    async def test_requests_of_one_network_are_limited(self, stage: Stage) -> None:
        answers = [
            await stage.client.post("/auth/password/forgot", json={"email": stage.new_address()}) for _ in range(5)
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
        assert "retry-after" in answers[-1].headers


class TestReset:
    async def test_password_is_replaced_and_every_session_ends(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        headers = await each_stage.signed_in(user)
        mail = await forget(each_stage, user.email)
        answer = await each_stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert answer.status_code == 204
        assert (await each_stage.client.get("/auth/me", headers=headers)).status_code == 401
        assert (await each_stage.login(user.email)).status_code == 401
        assert (await each_stage.login(user.email, NEW)).status_code == 200
        [notice] = await each_stage.notices("password.reset")
        assert notice.to == user.email

    async def test_token_works_once_and_voids_the_others(self, stage: Stage) -> None:
        user = await stage.user()
        first, second = await forget(stage, user.email), await forget(stage, user.email)
        for token, status in ((second.token, 204), (second.token, 400), (first.token, 400)):
            answer = await stage.client.post("/auth/password/reset", json={"token": token, "password": NEW})
            assert answer.status_code == status, answer.text

    async def test_one_of_several_uses_succeeds_when_they_are_concurrent(self, each_stage: Stage) -> None:
        mail = await forget(each_stage, (await each_stage.user()).email)
        answers = await asyncio.gather(
            *(
                each_stage.client.post(
                    "/auth/password/reset", json={"token": mail.token, "password": f"{NEW} {number}"}
                )
                for number in range(8)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [204] + [400] * 7

    async def test_expired_token_is_refused(self, stage: Stage) -> None:
        mail = await forget(stage, (await stage.user()).email)
        await MailLink.filter_by().unfiltered().update(expires_at=datetime.now(UTC))
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert (answer.status_code, answer.json()["code"]) == (400, "link_refused")

    async def test_blocked_account_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        mail = await forget(stage, user.email)
        async with stage.database.unit():
            await stage.users.block(await User.get(user.id))
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert answer.status_code == 400

    async def test_token_of_a_sign_up_is_refused(self, stage: Stage) -> None:
        await stage.register(stage.new_address())
        [mail] = await stage.mails()
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert answer.status_code == 400

    @pytest.mark.parametrize("password", ["short", "x" * 257, "Password123", "1234567890"])
    async def test_policy_is_applied_and_the_token_still_works(self, stage: Stage, password: str) -> None:
        mail = await forget(stage, (await stage.user()).email)
        refused = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": password})
        assert (refused.status_code, error_fields(refused)) == (422, ["body.password"])
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert answer.status_code == 204

    async def test_address_is_refused_as_password(self, stage: Stage) -> None:
        user = await stage.user()
        mail = await forget(stage, user.email)
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": user.email})
        assert (answer.status_code, error_fields(answer)) == (422, ["body.password"])

    async def test_account_of_a_provider_gets_a_password(self, stage: Stage) -> None:
        email = stage.new_address()
        await stage.sign_in_with("google", Person(email=email))
        mail = await forget(stage, email)
        await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": NEW})
        assert (await stage.login(email, NEW)).status_code == 200


class TestLoginDuringAReset:
    async def test_login_with_the_old_password_is_refused_when_a_reset_comes_between(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = await stage.user()
        mail = await forget(stage, user.email)
        authenticate: Callable[[OAuth2PasswordRequestForm], Awaitable[User | None]] = stage.users.authenticate

        async def reset_afterwards(credentials: OAuth2PasswordRequestForm) -> User | None:
            found = await authenticate(credentials)
            await stage.users.reset_password(mail.token, NEW)
            return found

        monkeypatch.setattr(stage.users, "authenticate", reset_afterwards)
        answer = await stage.login(user.email)
        assert (answer.status_code, answer.json()["code"]) == (401, "login_refused")
        assert await UserSession.filter_by(user_id=user.id).count() == 0


class TestChange:
    async def test_password_changes_and_other_sessions_end(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        here, elsewhere = await each_stage.signed_in(user), await each_stage.signed_in(user)
        answer = await each_stage.client.put("/auth/password", json={"current": PASSWORD, "new": NEW}, headers=here)
        assert answer.status_code == 204
        assert (await each_stage.client.get("/auth/me", headers=here)).status_code == 200
        assert (await each_stage.client.get("/auth/me", headers=elsewhere)).status_code == 401
        assert (await each_stage.login(user.email, NEW)).status_code == 200
        assert (await each_stage.login(user.email)).status_code == 401
        [notice] = await each_stage.notices("password.changed")
        assert notice.to == user.email

    async def test_links_in_earlier_mails_stop_working(self, stage: Stage) -> None:
        user = await stage.user()
        mail = await forget(stage, user.email)
        headers = await stage.signed_in(user)
        await stage.client.put("/auth/password", json={"current": PASSWORD, "new": NEW}, headers=headers)
        answer = await stage.client.post("/auth/password/reset", json={"token": mail.token, "password": PASSWORD})
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"current": "wrong password", "new": NEW}, 403, "password_refused"),
            ({"new": NEW}, 422, "invalid"),
            ({"current": PASSWORD, "new": "password123"}, 422, "invalid"),
            ({"current": PASSWORD, "new": NEW, "id": "x"}, 422, "invalid"),
        ],
    )
    async def test_wrong_input_changes_nothing(
        self, stage: Stage, body: dict[str, str], status: int, code: str
    ) -> None:
        user = await stage.user()
        answer = await stage.client.put("/auth/password", json=body, headers=await stage.signed_in(user))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await stage.login(user.email)).status_code == 200
        assert await AuditEntry.filter_by(action="password.changed").count() == 0

    async def test_recent_authentication_is_required(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        await make_old(user)
        body = {"current": PASSWORD, "new": NEW}
        answer = await stage.client.put("/auth/password", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")

    async def test_account_without_a_password_sets_one(self, stage: Stage) -> None:
        email = stage.new_address()
        async with stage.browser() as browser:
            await stage.sign_in_with("google", Person(email=email), browser=browser)
            answer = await browser.put("/auth/password", json={"new": NEW})
        assert answer.status_code == 204
        assert (await stage.login(email, NEW)).status_code == 200
        assert len(await stage.notices("password.set")) == 1

    async def test_one_of_several_changes_succeeds_when_they_are_concurrent(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        headers = await each_stage.signed_in(user)
        answers = await asyncio.gather(
            *(
                each_stage.client.put(
                    "/auth/password", json={"current": PASSWORD, "new": f"{NEW} {number}"}, headers=headers
                )
                for number in range(4)
            )
        )
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(204) == 1
        assert set(statuses) <= {204, 403, 409}

    async def test_request_from_another_site_is_refused(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            answer = await browser.put(
                "/auth/password",
                json={"current": PASSWORD, "new": NEW},
                headers={"sec-fetch-site": "cross-site"},
            )
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
