"""Linking and unlinking."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from bongsu.identity.models import AuditEntry, LinkedAccount, UserSession
from services.auth.tests.providers import Person
from services.auth.tests.stage import PASSWORD, Stage, bearer, error_fields

HTML = {"accept": "text/html"}


async def link(
    stage: Stage, browser: httpx.AsyncClient, person: Person, provider: str = "discord", next_path: str = "/account"
) -> httpx.Response:
    begun = await browser.post(f"/auth/identities/{provider}/link", json={"next": next_path})
    assert begun.status_code == 200, begun.text
    return await browser.get(stage.providers.allow(begun.json()["authorization_url"], person))


async def sign_in_was(minutes: int) -> None:
    session = await UserSession.order_by("-id").first()
    assert session is not None
    await session.update(auth_time=session.auth_time - timedelta(minutes=minutes))


class TestLink:
    async def test_linked_account_signs_in(self, each_stage: Stage) -> None:
        user, person = await each_stage.user(), Person(email=each_stage.new_address())
        async with each_stage.signed_in_browser(user) as browser:
            answer = await link(each_stage, browser, person)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account?linked=discord")
        async with each_stage.browser() as browser:
            await each_stage.sign_in_with("discord", person, browser=browser)
            assert (await browser.get("/auth/me")).json()["id"] == str(user.id)
        assert await AuditEntry.filter_by(action="identity.linked", actor_id=user.id).count() == 1

    async def test_owner_gets_a_mail_of_linking_and_unlinking(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            await link(stage, browser, Person(), "kakao")
            assert (await browser.delete("/auth/identities/kakao")).status_code == 204
        # Signing in with the same verified address links as well.
        await stage.sign_in_with("google", Person(email=user.email))
        mails = [(mail.event, mail.subject, mail.to) for mail in await stage.mails() if mail.event.startswith("ident")]
        assert mails == [
            ("identity.linked", "Kakao", user.email),
            ("identity.unlinked", "Kakao", user.email),
            ("identity.linked", "Google", user.email),
        ]

    async def test_new_account_gets_no_mail_about_its_first_provider(self, stage: Stage) -> None:
        await stage.sign_in_with("google", Person(email=stage.new_address()))
        assert await stage.mails() == []

    async def test_flow_started_by_the_dashboard_needs_no_flow_cookie(self, stage: Stage) -> None:
        """The dashboard calls with the access token; the browser comes back with its session's cookies."""
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            headers = bearer(browser.cookies["access-8000"])
            async with stage.browser() as dashboard:
                begun = await dashboard.post("/auth/identities/discord/link", json={"next": "/x"}, headers=headers)
            callback = stage.providers.allow(begun.json()["authorization_url"], Person())
            assert (await browser.get(callback)).headers["location"] == "/x?linked=discord"

    async def test_refresh_token_identifies_the_browser_when_the_access_token_expired(self, stage: Stage) -> None:
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            headers = bearer(browser.cookies["access-8000"])
            async with stage.browser() as dashboard:
                begun = await dashboard.post("/auth/identities/discord/link", json={}, headers=headers)
            del browser.cookies["access-8000"]
            callback = stage.providers.allow(begun.json()["authorization_url"], Person())
            assert (await browser.get(callback)).headers["location"] == "/?linked=discord"

    async def test_callback_in_the_browser_of_another_user_is_refused(self, stage: Stage) -> None:
        """Otherwise an attacker could link the victim's Discord account to the attacker's user."""
        attacker, victim = await stage.user(), await stage.user()
        async with stage.signed_in_browser(attacker) as browser:
            begun = await browser.post("/auth/identities/discord/link", json={})
        callback = stage.providers.allow(begun.json()["authorization_url"], Person())
        async with stage.signed_in_browser(victim) as browser:
            answer = await browser.get(callback)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")
        assert await LinkedAccount.row_count() == 0

    async def test_callback_is_refused_when_another_user_signed_in(self, stage: Stage) -> None:
        user, other = await stage.user(), await stage.user()
        async with stage.signed_in_browser(user) as browser:
            begun = await browser.post("/auth/identities/discord/link", json={})
            await browser.post("/auth/login?cookie=true", json={"email": other.email, "password": PASSWORD})
            answer = await browser.get(stage.providers.allow(begun.json()["authorization_url"], Person()))
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")

    @pytest.mark.parametrize("how", ["DELETE /auth/sessions", "POST /auth/logout"])
    async def test_callback_is_refused_when_the_session_that_started_it_ended(self, stage: Stage, how: str) -> None:
        """Otherwise a stolen session could add another way to sign in after it was revoked."""
        user, person = await stage.user(), Person()
        async with stage.signed_in_browser(user) as thief:
            begun = await thief.post("/auth/identities/discord/link", json={})
            if how == "POST /auth/logout":
                await thief.post("/auth/logout")
            else:
                await stage.client.delete("/auth/sessions", headers=await stage.signed_in(user))
            answer = await thief.get(stage.providers.allow(begun.json()["authorization_url"], person))
        assert (answer.status_code, answer.json()["code"]) == (400, "state_refused")
        assert await LinkedAccount.row_count() == 0

    async def test_account_of_another_user_is_refused(self, each_stage: Stage) -> None:
        stage, person = each_stage, Person(email=each_stage.new_address())
        await stage.sign_in_with("discord", person)
        async with stage.signed_in_browser(await stage.user()) as browser:
            answer = await link(stage, browser, person)
            assert (answer.status_code, answer.json()["code"]) == (409, "linked_elsewhere")
            begun = await browser.post("/auth/identities/discord/link", json={"next": "/account"})
            callback = stage.providers.allow(begun.json()["authorization_url"], person)
            shown = await browser.get(callback, headers=HTML)
            assert shown.headers["location"] == "/account?error=linked_elsewhere"
        # Both users can still sign in.
        assert (await stage.sign_in_with("discord", person)).headers["location"] == "/"

    async def test_concurrent_links_of_one_account_give_it_to_one_user(self, each_stage: Stage) -> None:
        stage, person = each_stage, Person()
        users = [await stage.user() for _ in range(2)]
        async with stage.signed_in_browser(users[0]) as one, stage.signed_in_browser(users[1]) as other:
            answers = await asyncio.gather(*(link(stage, browser, person) for browser in (one, other)))
        assert sorted(answer.status_code for answer in answers) == [303, 409]
        assert await LinkedAccount.row_count() == 1

    async def test_second_account_of_a_provider_is_refused(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            await link(stage, browser, Person())
            answer = await link(stage, browser, Person())
        assert (answer.status_code, answer.json()["code"]) == (409, "another_linked")

    async def test_linking_the_same_account_again_renews_its_grant(self, stage: Stage) -> None:
        person = Person()
        async with stage.signed_in_browser(await stage.user()) as browser:
            await link(stage, browser, person)
            await (await LinkedAccount.filter_by().one()).update(sealed_access_token=None)
            [lost] = (await browser.get("/auth/identities")).json()["items"]
            assert lost["relink_needed"] is True
            assert (await link(stage, browser, person)).headers["location"] == "/account?linked=discord"
            [renewed] = (await browser.get("/auth/identities")).json()["items"]
            assert renewed["relink_needed"] is False

    async def test_denied_flow_returns_to_next_with_an_error(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            begun = await browser.post("/auth/identities/discord/link", json={"next": "/account?tab=2"})
            state = dict(parse_qsl(urlsplit(begun.json()["authorization_url"]).query))["state"]
            query = {"error": "access_denied", "state": state}
            answer = await browser.get("/auth/oauth/discord/callback", params=query)
        assert answer.headers["location"] == "/account?tab=2&error=denied"

    async def test_old_sign_in_is_refused(self, stage: Stage) -> None:
        """Entering the password again is."""
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            await sign_in_was(11)
            refused = await browser.post("/auth/identities/discord/link", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
            assert (await browser.post("/auth/reauthenticate", json={"password": PASSWORD})).status_code == 200
            assert (await browser.post("/auth/identities/discord/link", json={})).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}],
    )
    async def test_request_from_another_site_is_refused(self, stage: Stage, headers: dict[str, str]) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            for method, path in (("POST", "/discord/link"), ("DELETE", "/discord")):
                answer = await browser.request(method, f"/auth/identities{path}", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")

    async def test_bad_next_is_named(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            answer = await browser.post("/auth/identities/discord/link", json={"next": "//evil.example"})
            assert (answer.status_code, error_fields(answer)) == (422, ["body.next"])

    async def test_request_without_credentials_is_refused(self, stage: Stage) -> None:
        assert (await stage.client.post("/auth/identities/discord/link")).status_code == 401

    async def test_unknown_provider_is_404(self, stage: Stage) -> None:
        headers = await stage.signed_in(await stage.user())
        answer = await stage.client.post("/auth/identities/twitter/link", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "provider_not_found")


class TestIdentities:
    async def test_user_sees_own_accounts_only(self, stage: Stage) -> None:
        person = Person(email=stage.new_address(), name="James Walker")
        await stage.sign_in_with("google", Person(email=stage.new_address()))
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", person, browser=browser)
            listed = (await browser.get("/auth/identities")).json()
        [one] = listed["items"]
        assert (one["provider"], one["subject"], one["display_name"]) == ("discord", person.subject, "James Walker")
        assert one["scopes"] == ["identify", "email", "guilds"]
        assert (listed["has_password"], listed["next"]) == (False, None)


class TestUnlink:
    async def test_unlinked_account_does_not_sign_in(self, each_stage: Stage) -> None:
        stage, person = each_stage, Person()
        user = await stage.user()
        async with stage.signed_in_browser(user) as browser:
            await link(stage, browser, person)
            assert (await browser.delete("/auth/identities/discord")).status_code == 204
            assert (await browser.get("/auth/identities")).json()["items"] == []
            assert (await browser.delete("/auth/identities/discord")).json()["code"] == "identity_not_found"
        assert stage.providers.calls["/discord/api/oauth2/token/revoke"] == 1
        async with stage.browser() as browser:
            await stage.sign_in_with("discord", person, browser=browser)
            assert (await browser.get("/auth/me")).json()["id"] != str(user.id)

    async def test_only_way_to_sign_in_is_not_unlinked(self, each_stage: Stage) -> None:
        async with each_stage.browser() as browser:
            await each_stage.sign_in_with("discord", Person(), browser=browser)
            answer = await browser.delete("/auth/identities/discord")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_sign_in_method")

    async def test_concurrent_unlinks_keep_one_account(self, each_stage: Stage) -> None:
        stage, email = each_stage, each_stage.new_address()
        async with stage.browser() as browser:
            for provider in ("google", "discord"):
                await stage.sign_in_with(provider, Person(email=email), browser=browser)
            answers = await asyncio.gather(
                *(browser.delete(f"/auth/identities/{provider}") for provider in ("google", "discord"))
            )
        assert sorted(answer.status_code for answer in answers) == [204, 409]
        assert await LinkedAccount.row_count() == 1

    async def test_way_to_sign_in_remains_when_a_link_and_an_unlink_are_concurrent(self, each_stage: Stage) -> None:
        stage, email = each_stage, each_stage.new_address()
        async with stage.browser() as browser:
            await stage.sign_in_with("google", Person(email=email), browser=browser)
            begun = await browser.post("/auth/identities/discord/link")
            callback = stage.providers.allow(begun.json()["authorization_url"], Person(email=email))
            _, unlinked = await asyncio.gather(browser.get(callback), browser.delete("/auth/identities/google"))
        left = {one.provider for one in await LinkedAccount.filter_by().all()}
        assert left == ({"discord"} if unlinked.status_code == 204 else {"google", "discord"})

    async def test_account_is_unlinked_when_the_provider_does_not_answer(self, stage: Stage) -> None:
        stage.providers.fail("/discord/api/oauth2/token/revoke", 500)
        async with stage.signed_in_browser(await stage.user()) as browser:
            await link(stage, browser, Person())
            assert (await browser.delete("/auth/identities/discord")).status_code == 204

    async def test_old_sign_in_is_refused(self, stage: Stage) -> None:
        async with stage.signed_in_browser(await stage.user()) as browser:
            await link(stage, browser, Person())
            await sign_in_was(11)
            assert (await browser.delete("/auth/identities/discord")).json()["code"] == "reauthentication_required"
