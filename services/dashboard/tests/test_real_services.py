"""The dashboard over the real auth and notify: that both sides mean the same by their contracts."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from bongsu import outbox
from bongsu.broker.memory import MemoryBroker
from bongsu.identity.callers import Identity
from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.models import UserSession
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.signatures import RequestSigner
from bongsu.identity.vault import Vault
from bongsu.mixins import Database
from bongsu_auth import app as auth
from bongsu_auth.migrations import MIGRATIONS as AUTH
from bongsu_auth.settings import AuthSettings
from bongsu_dashboard.app import create_app
from bongsu_dashboard.settings import DashboardSettings
from bongsu_notify import app as notify
from bongsu_notify.migrations import MIGRATIONS as NOTIFY
from bongsu_notify.settings import NotifySettings
from services.auth.tests.mfa.codes import code_of
from services.auth.tests.providers import SETTINGS, Person, Providers
from services.auth.tests.stage import Stage as AuthStage
from services.dashboard.tests.fakes import PASSWORD
from services.dashboard.tests.notifications.attempts import attempt_of
from services.dashboard.tests.stage import FakeBrowser, text_of
from tests.fake import Fake
from tests.infrastructure.templates import Schema, WithTables

URL = "http://localhost:8000"
EMAIL = "new@example.com"


@dataclass
class Whole:
    """Auth, notify and the dashboard behind one address."""

    site: httpx.ASGITransport
    auth: AuthStage

    def browser(self) -> FakeBrowser:
        headers = {"Accept-Language": "ko", "Sec-Fetch-Site": "same-origin", "User-Agent": "Firefox/150.0 (Linux)"}
        return FakeBrowser(httpx.AsyncClient(transport=self.site, base_url=URL, headers=headers))

    async def signed_in(self) -> FakeBrowser:
        user = await self.auth.user(EMAIL)
        browser = self.browser()
        await browser.get("/login")
        answer = await browser.post("/login", {"email": user.email, "password": "correct horse battery", "next": "/"})
        assert answer.status_code == 303, text_of(answer.text)
        await browser.get("/account")
        return browser


TABLES = Schema.migrated("whole", AUTH, outbox.MIGRATIONS, NOTIFY)


@pytest.fixture
async def whole(sqlite_with_tables: WithTables, fake: Fake) -> AsyncIterator[Whole]:
    database, vault, broker = Database(sqlite_with_tables(TABLES)), Vault.parse(Vault.new_key()), MemoryBroker()
    await broker.connect()
    await ensure_signing_key(vault)
    identity = Identity(
        vault=vault,
        public_url=URL,
        trusted_proxies=["127.0.0.1/32"],
        revocations=RevocationFeed(stale_after_s=60),
    )
    providers = Providers()
    notify_app = notify.create_app(settings=NotifySettings(), identity=identity, database=database)
    notify_client = httpx.AsyncClient(transport=httpx.ASGITransport(notify_app), base_url=URL)
    auth_app = auth.create_app(
        settings=AuthSettings.model_validate({**SETTINGS, "new_accounts": "live"}),
        identity=identity,
        database=database,
        vault=vault,
        public_url=URL,
        notify=notify_client,
        providers_transport=providers.transport,
    )
    async with (
        auth_app.router.lifespan_context(auth_app),
        notify_app.router.lifespan_context(notify_app),
        httpx.AsyncClient(transport=httpx.ASGITransport(auth_app), base_url=URL) as auth_client,
        notify_client,
    ):
        pages = create_app(
            settings=DashboardSettings(), public_url=URL, auth=auth_client, notify=notify_client, broker=broker
        )

        async def site(scope: Scope, receive: Receive, send: Send) -> None:
            await (auth_app if scope["path"].startswith("/auth/") else pages)(scope, receive, send)

        stage = AuthStage(auth_app, auth_client, database, vault, providers, fake, lambda: auth_app)
        yield Whole(httpx.ASGITransport(site), stage)
    await broker.close()
    await database.dispose()


class TestSignUp:
    async def test_new_user_signs_up_confirms_and_signs_in(self, whole: Whole) -> None:
        browser = whole.browser()
        await browser.get("/register")
        await browser.post("/register", {"name": "이하늘", "email": EMAIL, "password": PASSWORD})
        mail = (await whole.auth.mails())[0]
        page = await browser.get(mail.link.removeprefix(URL))
        assert 'type="password"' not in page.text
        verified = await browser.post("/verify", {"token": mail.token})
        assert (verified.status_code, verified.headers["location"]) == (303, "/login")
        await browser.get("/login?next=/account")
        answer = await browser.post("/login", {"email": EMAIL, "password": PASSWORD, "next": "/account"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        text = text_of((await browser.get("/account")).text)
        assert "이하늘" in text
        assert "Firefox · Linux" in text

    async def test_another_browser_sets_the_password(self, whole: Whole) -> None:
        first, second = whole.browser(), whole.browser()
        await first.get("/register")
        await first.post("/register", {"email": EMAIL, "password": PASSWORD})
        mail = (await whole.auth.mails())[0]
        await second.get(mail.link.removeprefix(URL))
        assert (await second.post("/verify", {"token": mail.token})).status_code == 422
        common = await second.post("/verify", {"token": mail.token, "password": "1234567890"})
        assert (common.status_code, "추측하기" in text_of(common.text)) == (422, True)
        assert (await second.post("/verify", {"token": mail.token, "password": "another password"})).status_code == 303
        await second.get("/login")
        answer = await second.post("/login", {"email": EMAIL, "password": "another password", "next": "/"})
        assert answer.status_code == 303

    async def test_wrong_password_is_refused(self, whole: Whole) -> None:
        browser = whole.browser()
        await browser.get("/login")
        answer = await browser.post("/login", {"email": EMAIL, "password": "wrong", "next": "/"})
        assert answer.status_code == 401


class TestPassword:
    async def test_forgotten_password_is_reset_by_the_link_of_the_mail(self, whole: Whole) -> None:
        user, browser = await whole.auth.user(EMAIL), whole.browser()
        await browser.get("/forgot")
        await browser.post("/forgot", {"email": EMAIL})
        [mail] = await whole.auth.mails()
        assert (mail.template, mail.to) == ("reset-password", user.email)
        await browser.get(mail.link.removeprefix(URL))
        weak = await browser.post("/reset", {"token": mail.token, "password": "password123"})
        assert (weak.status_code, "추측하기 쉬운" in text_of(weak.text)) == (422, True)
        reset = await browser.post("/reset", {"token": mail.token, "password": PASSWORD})
        assert (reset.status_code, reset.headers["location"]) == (303, "/login")
        signed_in = await browser.post("/login", {"email": EMAIL, "password": PASSWORD, "next": "/"})
        assert signed_in.status_code == 303

    async def test_password_is_changed_after_a_confirmation(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        await UserSession.filter_by().unfiltered().update(auth_time=datetime.now(UTC) - timedelta(hours=1))
        browser.client.cookies.delete("access-8000")
        page = await browser.get("/account/password", follow=True)
        assert (page.url.path, page.url.params["next"]) == ("/account/confirm", "/account/password")
        old = "correct horse battery"
        confirmed = await browser.post("/account/confirm", {"password": old, "next": "/account/password"})
        assert confirmed.status_code == 303, text_of(confirmed.text)
        assert (await browser.get("/account/password")).status_code == 200
        changed = await browser.post("/account/password", {"current": old, "new": PASSWORD})
        assert (changed.status_code, changed.headers["location"]) == (303, "/account")


class TestEmail:
    async def test_address_is_changed_by_the_link_of_the_mail(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        await browser.get("/account/email")
        sent = await browser.post("/account/email", {"email": "later@example.com"})
        assert (sent.status_code, "later@example.com" in sent.text) == (200, True)
        mail = next(mail for mail in await whole.auth.mails() if mail.template == "confirm-email")
        await browser.get(mail.link.removeprefix(URL))
        assert (await browser.post("/email/confirm", {"token": mail.token})).headers["location"] == "/account"
        assert "later@example.com" in text_of((await browser.get("/account")).text)


class TestSecondFactor:
    async def test_second_factor_is_turned_on_and_asked_for(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        started = await browser.post("/account/two-step/start")
        secret, uri = (re.findall(rf'name="{name}" value="([^"]+)"', started.text)[0] for name in ("secret", "uri"))
        fields: dict[str, str | list[str]] = {"secret": secret, "uri": html.unescape(uri)}
        wrong = await browser.post("/account/two-step/enable", {**fields, "code": "000000x"})
        assert (wrong.status_code, secret in wrong.text) == (403, True)
        enabled = await browser.post("/account/two-step/enable", {**fields, "code": code_of(secret, steps=-1)})
        if enabled.status_code == 403:  # a step began in between: the code was that of the step before the previous one
            enabled = await browser.post("/account/two-step/enable", {**fields, "code": code_of(secret, steps=-1)})
        recovery = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", enabled.text)
        assert len(recovery) == 10
        await self._sign_in(whole, code_of(secret))
        await self._sign_in(whole, recovery[0])
        page = await browser.get("/account/two-step")
        assert "남은 코드 9개" in text_of(page.text)
        off = await browser.post("/account/two-step/disable")
        assert off.headers["location"] == "/account"

    @staticmethod
    async def _sign_in(whole: Whole, code: str) -> None:
        browser = whole.browser()
        await browser.get("/login?next=/account")
        fields: dict[str, str | list[str]] = {"email": EMAIL, "password": "correct horse battery", "next": "/account"}
        asked = await browser.post("/login", fields)
        assert asked.headers["location"] == "/login/code?next=/account"
        await browser.get(asked.headers["location"])
        wrong = await browser.post("/login/code", {"code": "000000x", "next": "/account"})
        assert (wrong.status_code, 'id="e-code"' in wrong.text) == (403, True)
        right = await browser.post("/login/code", {"code": code, "next": "/account"})
        assert (right.status_code, right.headers["location"]) == (303, "/account")
        assert (await browser.get("/account")).status_code == 200


class TestKeys:
    async def test_key_of_the_page_signs_requests_until_it_is_deleted(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        await browser.get("/keys/new")
        fields: dict[str, str | list[str]] = {"memo": "서버", "mode": "live", "lifetime": "30", "scopes": "stats:read"}
        made = await browser.post("/keys", fields)
        pair = re.findall(r'<code class="secret">(b[as]k_[^<]+)</code>', made.text)
        page = re.findall(r'href="(/keys/[0-9a-f-]{36})"', made.text)[0]
        await browser.get(page)
        allowed = await browser.post(f"{page}/allowlist", {"cidr": "127.0.0.1"})
        assert (allowed.status_code, allowed.headers["location"]) == (303, page)
        wrong = await browser.post(f"{page}/allowlist", {"cidr": "10.0.0.1/8"})
        assert (wrong.status_code, 'id="e-cidr"' in wrong.text) == (422, True)
        assert await self._code(whole, *pair) == "session_required"
        rotated = await browser.post(f"{page}/rotate")
        successor = re.findall(r'<code class="secret">(b[as]k_[^<]+)</code>', rotated.text)
        assert (successor[0], successor[1] != pair[1]) == (pair[0], True)
        assert await self._code(whole, *pair) == await self._code(whole, *successor) == "session_required"
        assert "127.0.0.1/32" in text_of((await browser.get(page)).text)
        deleted = await browser.post(f"{page}/delete")
        assert deleted.headers["location"] == "/keys"
        assert await self._code(whole, *successor) == "signature_refused"

    @staticmethod
    async def _code(whole: Whole, access_key: str, secret_key: str) -> str:
        """Return the code of a refusal; `session_required` means that the signature was accepted."""
        answer = await whole.browser().client.get("/auth/me", auth=RequestSigner(access_key, secret_key))
        return str(answer.json()["code"])


class TestLeaving:
    async def test_data_is_downloaded_and_the_account_deleted(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        attempt = attempt_of((await browser.get("/notifications/new")).text)
        fields: dict[str, str | list[str]] = {"email": EMAIL, "subject": "내보낼 알림", "text": "t", "attempt": attempt}
        await browser.post("/notifications", fields)
        await browser.get("/account/delete")
        file = await browser.get("/auth/me/export")
        assert file.headers["content-disposition"].startswith("attachment")
        exported = json.loads(file.content)
        assert exported["account"]["email"] == EMAIL
        assert [item["subject"] for item in exported["notifications"]] == ["내보낼 알림"]
        wrong = await browser.post("/account/delete", {"typed": "someone@example.com"})
        assert wrong.status_code == 422
        gone = await browser.post("/account/delete", {"typed": EMAIL})
        assert (gone.status_code, gone.headers["location"]) == (303, "/login")
        assert (await browser.get("/account", follow=True)).url.path == "/login"
        again = await browser.post("/login", {"email": EMAIL, "password": "correct horse battery", "next": "/"})
        assert again.status_code == 401


class TestSession:
    async def test_a_session_is_renewed_on_the_way_to_a_page(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        browser.client.cookies.delete("access-8000")
        answer = await browser.get("/account?x=1", follow=True)
        assert (answer.status_code, answer.url.path) == (200, "/account")

    async def test_login_page_is_shown_without_a_session(self, whole: Whole) -> None:
        answer = await whole.browser().get("/guilds", follow=True)
        assert (answer.url.path, answer.url.params["next"]) == ("/login", "/guilds")

    async def test_sign_out_ends_the_session(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        await browser.post("/logout")
        answer = await browser.get("/account", follow=True)
        assert answer.url.path == "/login"

    async def test_another_device_is_signed_out(self, whole: Whole) -> None:
        here = await whole.signed_in()
        elsewhere = whole.browser()
        await elsewhere.get("/login")
        await elsewhere.post("/login", {"email": EMAIL, "password": "correct horse battery", "next": "/"})
        await here.post("/account/sessions/end-others")
        assert (await elsewhere.get("/account", follow=True)).url.path == "/login"
        assert (await here.get("/account")).status_code == 200

    async def test_a_name_is_changed(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        await browser.post("/account/profile", {"name": "봉수대지기", "locale": "ko"})
        assert "봉수대지기" in text_of((await browser.get("/account")).text)


class TestDiscord:
    async def test_guilds_offer_to_link_discord_when_it_is_not_linked(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        assert "Discord 계정을 연결해 주세요" in text_of((await browser.get("/guilds")).text)

    async def test_fifty_pages_ask_discord_for_the_guilds_once(self, whole: Whole) -> None:
        owned = {"id": "300000000000000001", "name": "봉수대", "icon": None, "owner": True, "permissions": "0"}
        browser = whole.browser()
        async with whole.auth.browser() as signed_in:
            await whole.auth.sign_in_with("discord", Person(guilds=[owned]), browser=signed_in)
            browser.client.cookies.update(signed_in.cookies)
        answers = await asyncio.gather(*(browser.get("/guilds") for _ in range(50)))
        assert [answer.status_code for answer in answers if "봉수대" in answer.text] == [200] * 50
        assert whole.auth.providers.calls["/discord/api/v10/users/@me/guilds"] == 1


class TestNotifications:
    async def test_a_test_is_accepted_listed_and_cancelled(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        attempt = attempt_of((await browser.get("/notifications/new")).text)
        fields: dict[str, str | list[str]] = {"email": EMAIL, "subject": "시험", "text": "본문", "attempt": attempt}
        sent = await browser.post("/notifications", fields)
        again = await browser.post("/notifications", fields)
        assert (sent.status_code, sent.headers["location"]) == (303, again.headers["location"])
        assert "시험 new@example.com 접수됨" in text_of((await browser.get("/notifications")).text)
        detail = await browser.get(sent.headers["location"])
        assert "접수됨" in text_of(detail.text)
        await browser.post(f"{sent.headers['location']}/cancel")
        assert "취소됨" in text_of((await browser.get(sent.headers["location"])).text)
        await browser.post(f"{sent.headers['location']}/restore")
        restored = text_of((await browser.get(sent.headers["location"])).text)
        assert ("취소를 되돌렸습니다" in restored, "취소를 되돌리고" in restored) == (True, False)

    async def test_anothers_is_not_there(self, whole: Whole) -> None:
        browser = await whole.signed_in()
        attempt = attempt_of((await browser.get("/notifications/new")).text)
        fields: dict[str, str | list[str]] = {"email": EMAIL, "subject": "s", "text": "t", "attempt": attempt}
        made = (await browser.post("/notifications", fields)).headers["location"]
        other = await whole.auth.user()
        second = whole.browser()
        await second.get("/login")
        await second.post("/login", {"email": other.email, "password": "correct horse battery", "next": "/"})
        assert (await second.get(made)).status_code == 404
