"""`DELETE /auth/me`."""

import asyncio
from datetime import UTC, datetime, timedelta

from bongsu.contracts.queues import USERS_DELETED
from bongsu.contracts.users import UserDeleted, email_context
from bongsu.identity.models import ApiKey, AuditEntry, LinkedAccount, Revocation, User, UserSession
from bongsu.identity.scopes import Role
from bongsu.outbox.models import OutboxMessage
from bongsu_auth.accounts.models import MailLink
from bongsu_auth.mfa.models import RecoveryCode, TotpFactor
from bongsu_auth.sessions.recent import RECENT
from services.auth.tests.mfa.codes import enable
from services.auth.tests.providers import Person
from services.auth.tests.stage import Stage


class TestDelete:
    async def test_account_and_everything_of_it_is_deleted(self, each_stage: Stage) -> None:
        user, other = await each_stage.user(), await each_stage.user()
        headers, others = await each_stage.signed_in(user), await each_stage.signed_in(other)
        await each_stage.client.post("/auth/api-keys", json={"memo": "k"}, headers=headers)
        await each_stage.client.put("/auth/email", json={"email": each_stage.new_address()}, headers=headers)
        await enable(each_stage, headers)
        answer = await each_stage.client.delete("/auth/me", headers=headers)
        assert answer.status_code == 204, answer.text
        assert (await each_stage.client.get("/auth/me", headers=headers)).status_code == 401
        assert (await each_stage.login(user.email)).status_code == 401
        for model in (UserSession, ApiKey, LinkedAccount, MailLink, TotpFactor, RecoveryCode):
            assert await model.filter_by(user_id=user.id).count() == 0
        assert await User.get_or_none(user.id) is None
        assert await Revocation.filter_by(kind="user", subject_id=user.id).exists()
        assert (await each_stage.client.get("/auth/me", headers=others)).status_code == 200

    async def test_owner_and_the_other_services_are_notified(self, stage: Stage) -> None:
        user = await stage.user()
        await stage.client.delete("/auth/me", headers=await stage.signed_in(user))
        [notice] = await stage.notices("account.deleted")
        assert notice.to == user.email
        [row] = await OutboxMessage.filter_by(queue=USERS_DELETED).all()
        assert user.email not in str(row.body)
        event = UserDeleted.model_validate(row.body)
        assert stage.vault.open_text(event.sealed_email or "", aad=email_context(user.id)) == user.email
        assert await AuditEntry.filter_by(action="account.deleted", subject_id=user.id).count() == 1

    async def test_address_can_sign_up_again(self, stage: Stage) -> None:
        user = await stage.user()
        await stage.client.delete("/auth/me", headers=await stage.signed_in(user))
        await stage.register(user.email)
        mail = (await stage.mails())[-1]
        assert mail.template == "verify-email"

    async def test_access_to_linked_accounts_is_revoked(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", Person(email=None), browser=browser)
            assert (await browser.delete("/auth/me")).status_code == 204
            assert not {"access-8000", "refresh-8000", "device-8000"} & set(browser.cookies)
        assert stage.providers.calls["/discord/api/oauth2/token/revoke"] == 1
        [row] = await OutboxMessage.filter_by(queue=USERS_DELETED).all()
        assert UserDeleted.model_validate(row.body).sealed_email is None

    async def test_recent_authentication_is_required(self, stage: Stage) -> None:
        user = await stage.user()
        headers = await stage.signed_in(user)
        await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - RECENT - timedelta(seconds=1))
        answer = await stage.client.delete("/auth/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
        assert await User.get_or_none(user.id) is not None

    async def test_only_administrator_stays_even_when_the_last_two_leave_concurrently(self, each_stage: Stage) -> None:
        both = [await each_stage.user(role=Role.ADMINISTRATOR) for _ in range(2)]
        tokens = [await each_stage.signed_in(user) for user in both]
        answers = await asyncio.gather(*(each_stage.client.delete("/auth/me", headers=headers) for headers in tokens))
        assert sorted(answer.status_code for answer in answers) == [204, 409]
        assert await User.filter_by(role="administrator").count() == 1

    async def test_request_from_another_site_is_refused(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            answer = await browser.delete("/auth/me", headers={"sec-fetch-site": "cross-site"})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
