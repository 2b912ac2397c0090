"""The user to whom a provider account goes, with and without a verified address."""

import asyncio
from datetime import UTC, datetime

import pytest

from bongsu.identity.models import ApiKey, AuditEntry, LinkedAccount, User, UserSession
from bongsu_auth.accounts.models import Registration
from services.auth.tests.providers import Person
from services.auth.tests.stage import PASSWORD, Stage, bearer


class TestSignIn:
    async def test_same_verified_address_is_the_same_account(self, each_stage: Stage) -> None:
        user = await each_stage.user()
        await each_stage.sign_in_with("discord", Person(email=user.email.upper()))
        await each_stage.sign_in_with("google", Person(email=user.email))
        assert {one.user_id for one in await LinkedAccount.filter_by().all()} == {user.id}
        assert (await each_stage.login(user.email)).status_code == 200

    @pytest.mark.parametrize("provider", ["discord", "google", "kakao"])
    async def test_unverified_address_is_answered_alike_whether_or_not_it_has_an_account(
        self, stage: Stage, provider: str
    ) -> None:
        """The attacker's account at the provider has the victim's address, which the provider has not verified."""
        victim = await stage.user()
        seen = []
        for email in (victim.email, stage.new_address()):
            async with stage.browser() as browser:
                answer = await stage.sign_in_with(provider, Person(email=email, verified=False), browser=browser)
                me = (await browser.get("/auth/me")).json()
                assert me["id"] != str(victim.id)
                cookies = sorted(cookie.name for cookie in browser.cookies.jar)
                seen.append(
                    (answer.status_code, answer.headers["location"], me["email"], me["email_verified"], cookies)
                )
        assert seen[0] == seen[1]
        assert seen[0][:4] == (303, "/", None, False)
        assert await LinkedAccount.filter_by(user_id=victim.id).count() == 0

    async def test_kakao_address_counts_only_if_valid_and_verified(self, stage: Stage) -> None:
        victim = await stage.user()
        person = Person()
        for flags in ((True, False), (False, True), (None, True)):
            account = {"email": victim.email, "is_email_valid": flags[0], "is_email_verified": flags[1]}
            person.raw = {"kakao_account": {name: value for name, value in account.items() if value is not None}}
            assert (await stage.sign_in_with("kakao", person)).headers["location"] == "/"
        assert await LinkedAccount.filter_by(user_id=victim.id).count() == 0

    async def test_unverified_address_is_not_stored(self, stage: Stage) -> None:
        """Otherwise the account would block the address for its owner."""
        person = Person(email=stage.new_address(), verified=False)
        await stage.sign_in_with("discord", person)
        user = await User.filter_by().one()
        assert (user.email_norm, user.is_verified) == (None, False)

    async def test_proven_owner_evicts_a_squatter(self, each_stage: Stage) -> None:
        """The squatter has an account with the victim's address, unverified, and can sign in to it."""
        stage = each_stage
        squatted = await stage.user()
        signed_in = (await stage.login(squatted.email)).json()
        headers = bearer(signed_in["access_token"])
        assert (await stage.client.post("/auth/api-keys", json={}, headers=headers)).status_code == 201
        await squatted.update(email_verified_at=None, name="Mallory")
        await LinkedAccount.create(
            user_id=squatted.id, provider="google", subject="mallory", scopes="", last_used_at=datetime.now(UTC)
        )
        async with stage.browser() as browser:
            answer = await stage.sign_in_with("discord", Person(email=squatted.email), browser=browser)
            assert answer.headers["location"] == "/"
            me = (await browser.get("/auth/me")).json()
        assert (me["id"], me["email_verified"], me["name"]) == (str(squatted.id), True, "김민지")
        # Every credential of the squatter is refused.
        assert (await stage.client.get("/auth/me", headers=headers)).status_code == 401
        refreshed = await stage.client.post("/auth/refresh", json={"refresh_token": signed_in["refresh_token"]})
        assert refreshed.status_code == 401
        assert (await stage.login(squatted.email, PASSWORD)).status_code == 401
        assert await ApiKey.row_count() == 0
        assert [one.provider for one in await LinkedAccount.filter_by().all()] == ["discord"]
        assert await UserSession.filter_by(user_id=squatted.id, ended_at__isnull=True).count() == 1
        assert await AuditEntry.filter_by(action="account.reclaimed", subject_id=squatted.id).count() == 1

    async def test_mail_links_of_a_squatter_do_not_work(self, each_stage: Stage) -> None:
        """A link that gives the account another address, and one that sets a password, both requested before."""
        stage, elsewhere = each_stage, each_stage.new_address()
        squatted = await stage.user()
        headers = await stage.signed_in(squatted)
        requested = await stage.client.put("/auth/email", json={"email": elsewhere}, headers=headers)
        forgot = await stage.client.post("/auth/password/forgot", json={"email": squatted.email})
        assert (requested.status_code, forgot.status_code) == (202, 202)
        links = {mail.template: mail.token for mail in await stage.mails() if "token=" in mail.link}
        await squatted.update(email_verified_at=None)
        assert (await stage.sign_in_with("discord", Person(email=squatted.email))).headers["location"] == "/"
        confirmed = await stage.client.post("/auth/email/confirm", json={"token": links["confirm-email"]})
        body = {"token": links["reset-password"], "password": "the squatter's password"}
        reset = await stage.client.post("/auth/password/reset", json=body)
        assert (confirmed.status_code, reset.status_code) == (400, 400)
        owned = await User.filter_by(id=squatted.id).one()
        assert (owned.email_norm, owned.hashed_password) == (squatted.email, "")

    async def test_squatter_keeps_nothing_when_a_change_of_theirs_is_concurrent(self, each_stage: Stage) -> None:
        """The account goes to another address, or to its owner, but never the owner's sign-in to the squatter's."""
        stage, elsewhere = each_stage, each_stage.new_address()
        squatted = await stage.user()
        headers = await stage.signed_in(squatted)
        await stage.client.put("/auth/email", json={"email": elsewhere}, headers=headers)
        token = next(mail.token for mail in await stage.mails() if mail.template == "confirm-email")
        await squatted.update(email_verified_at=None)
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person(email=squatted.email))
            await asyncio.gather(browser.get(callback), stage.client.post("/auth/email/confirm", json={"token": token}))
            me = (await browser.get("/auth/me")).json()
        assert (me["email"], me["email_verified"]) == (squatted.email, True)

    async def test_waiting_sign_up_of_a_squatter_is_deleted(self, stage: Stage) -> None:
        email = stage.new_address()
        await stage.register(email, "the squatter's password")
        [mail] = await stage.mails()
        await stage.sign_in_with("discord", Person(email=email))
        assert await Registration.row_count() == 0
        verified = await stage.client.post(
            "/auth/verify", json={"token": mail.token, "password": "the squatter's password"}
        )
        assert verified.status_code == 400
        assert (await stage.login(email, "the squatter's password")).status_code == 401

    async def test_second_account_of_a_provider_with_the_address_is_not_linked(self, stage: Stage) -> None:
        email = stage.new_address()
        await stage.sign_in_with("discord", Person(email=email))
        answer = await stage.sign_in_with("discord", Person(email=email))
        assert answer.headers["location"] == "/login?error=login_to_link"
        assert await LinkedAccount.row_count() == 1

    async def test_malformed_address_counts_as_missing(self, stage: Stage) -> None:
        answer = await stage.sign_in_with("discord", Person(email="josé@例え.テスト"))
        assert answer.headers["location"] == "/"
        assert (await User.filter_by().one()).email_norm is None

    async def test_blocked_owner_of_the_address_is_refused(self, stage: Stage) -> None:
        user = await stage.user()
        await user.update(status="blocked")
        answer = await stage.sign_in_with("discord", Person(email=user.email))
        assert answer.headers["location"] == "/login?error=account_blocked"
        assert await LinkedAccount.row_count() == 0
