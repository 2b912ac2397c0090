"""Signing in, sending and choosing, with scripts and without."""

import re

import pytest
from playwright.async_api import expect

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import ACTIVE, full
from services.dashboard.tests.fakes import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


class TestSigningIn:
    @SCRIPTS
    async def test_form_keeps_the_address_and_shows_an_error_when_the_password_is_wrong(
        self, opened: Opener, scripts: bool
    ) -> None:
        tab = await opened(full(), signed_in=False, scripts=scripts)
        await tab.open("/login")
        await tab.page.fill("#f-email", "mina@example.com")
        await tab.page.fill("#f-password", "something else")
        await tab.page.click("#login button")
        await expect(tab.page.locator("#login")).to_contain_text("이메일 또는 비밀번호가 올바르지 않습니다")
        await expect(tab.page.locator("#f-email")).to_have_value("mina@example.com")

    @SCRIPTS
    async def test_a_sign_up_ends_at_the_mail(self, opened: Opener, scripts: bool) -> None:
        tab = await opened(full(), signed_in=False, scripts=scripts)
        await tab.open("/register")
        await tab.page.fill("#f-email", "new@example.com")
        await tab.page.fill("#f-password", PASSWORD)
        await tab.page.click("#register button")
        await expect(tab.page.locator("#sent")).to_contain_text("new@example.com")
        assert await tab.inaccessible() == [] if scripts else True


class TestTypedText:
    @SCRIPTS
    async def test_text_stays_when_the_channel_is_switched_there_and_back(self, opened: Opener, scripts: bool) -> None:
        tab = await opened(full(), scripts=scripts)
        await tab.open("/notifications/new")
        await tab.page.fill("#f-text", "두 시간 걸린 글")
        await tab.page.click("[data-place=discord]")
        await expect(tab.page.locator("#f-text")).to_be_hidden()
        await tab.page.fill("#f-message-text", "짧은 글")
        await tab.page.click("[data-place=email]")
        await expect(tab.page.locator("#f-message-text")).to_be_hidden()
        await expect(tab.page.locator("#f-text")).to_have_value("두 시간 걸린 글")
        await tab.page.click("[data-place=discord]")
        await expect(tab.page.locator("#f-message-text")).to_have_value("짧은 글")

    async def test_mail_stays_when_the_message_is_refused(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/notifications/new")
        await tab.page.fill("#f-text", "두 시간 걸린 글")
        await tab.page.click("[data-place=discord]")
        await tab.page.select_option("#f-to", "topic")
        await tab.page.click("#message button")
        await expect(tab.page.locator("#e-topic")).to_be_visible()
        await tab.page.click("[data-place=email]")
        await expect(tab.page.locator("#f-text")).to_have_value("두 시간 걸린 글")

    @SCRIPTS
    @pytest.mark.parametrize(
        ("path", "field", "text"),
        [
            ("/notifications/new", "#f-text", "두 시간 걸린 글"),
            ("/notifications/new#discord", "#f-message-text", "짧은 글"),
            (f"/guilds/{ACTIVE}/messages/new", "#f-text", "서버에 쓰는 글"),
            ("/keys/new", "#f-memo", "결제 서버"),
            ("/account", "#f-name", "새 이름"),
        ],
    )
    async def test_text_stays_when_the_language_is_switched(
        self, opened: Opener, path: str, field: str, text: str, scripts: bool
    ) -> None:
        stage = full()
        tab = await opened(stage, scripts=scripts)
        await tab.open(path)
        await tab.page.fill(field, text)
        await tab.page.click("button[value=en]:visible")
        await expect(tab.page.locator("html")).to_have_attribute("lang", "en")
        await expect(tab.page.locator(field)).to_be_visible()
        await expect(tab.page.locator(field)).to_have_value(text)
        assert (stage.notifications.sent, stage.notifications.messages) == ([], [])
        await tab.open("/guilds")
        await tab.open(path)
        await expect(tab.page.locator(field)).not_to_have_value(text)


class TestSending:
    @SCRIPTS
    async def test_a_test_is_sent_and_followed(self, opened: Opener, scripts: bool) -> None:
        stage = full()
        tab = await opened(stage, scripts=scripts)
        await tab.open("/notifications/new")
        await tab.page.fill("#f-subject", "시험입니다")
        await tab.page.click("#send button")
        await expect(tab.page).to_have_url(re.compile(r"/notifications/[0-9a-f-]{36}$"))
        await expect(tab.page.locator("h1")).to_have_text("시험입니다")
        assert len(stage.notifications.sent) == 1

    async def test_its_status_changes_by_itself(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        item = stage.notifications.items[0]
        await tab.open(f"/notifications/{item.id}")
        await expect(tab.page.locator("header [role=status]")).to_have_text("대기 중")
        stage.notifications.items[0] = item.model_copy(update={"status": "delivered"})
        await expect(tab.page.locator("header [role=status]")).to_have_text("전달됨")
        await expect(tab.page.locator("#detail")).not_to_have_attribute("data-poll", re.compile(".*"))

    async def test_poll_keeps_focus_and_selection_when_the_status_changes(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        item = stage.notifications.items[0]
        await tab.open(f"/notifications/{item.id}")
        await tab.page.evaluate("""() => {
            document.querySelector('#detail footer a').focus();
            getSelection().selectAllChildren(document.querySelector('#detail .pairs code:last-of-type'));
        }""")
        stage.notifications.items[0] = item.model_copy(update={"status": "retry_wait"})
        await expect(tab.page.locator("header [role=status]")).to_have_text("재시도 대기")
        await expect(tab.page.locator(":focus")).to_have_text("알림 취소")
        assert str(item.id) in await tab.page.evaluate("getSelection().toString()")

    async def test_page_polls_less_while_unchanged_and_not_while_hidden(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.page.clock.install(time=0)
        await tab.open(f"/notifications/{stage.notifications.items[0].id}")
        await tab.page.clock.pause_at(600_000)
        await tab.page.wait_for_load_state("networkidle")
        await tab.page.evaluate("""() => {
            window.polls = 0;
            document.querySelector('#detail').addEventListener('poll', () => { window.polls += 1; });
            document.dispatchEvent(new Event('visibilitychange'));
        }""")
        for polls, delay_ms in enumerate([1_500, 2_250, 3_375, 5_063, 7_594, 10_000, 10_000], start=1):
            await tab.page.clock.run_for(delay_ms - 10)
            assert await tab.page.evaluate("polls") == polls - 1
            async with tab.page.expect_response("**/notifications/*?seen=*") as answered:
                await tab.page.clock.run_for(10)
            assert (await answered.value).status == 204
            # By an assertion: a function that the page waits for would be an `eval`, which its policy forbids.
            await expect(tab.page.locator("#detail.htmx-request")).to_have_count(0)
        await tab.page.evaluate("""() => {
            Object.defineProperty(document, 'hidden', { value: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }""")
        await tab.page.clock.run_for(60_000)
        assert await tab.page.evaluate("polls") == polls


class TestPage:
    async def test_theme_switch_keeps_position_and_input(self, opened: Opener) -> None:
        tab = await opened(full(), size=(800, 300))
        await tab.open("/notifications/new")
        await tab.page.fill("#f-subject", "쓰던 제목")
        await tab.page.locator("button[value=dark]").scroll_into_view_if_needed()
        before = await tab.page.evaluate("scrollY")
        async with tab.page.expect_request("**/preferences/theme"):
            await tab.page.click("button[value=dark]")
        await tab.page.wait_for_load_state("networkidle")
        await expect(tab.page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await tab.page.evaluate("scrollY") == before > 0
        await expect(tab.page.locator("#f-subject")).to_have_value("쓰던 제목")
        await tab.page.reload()
        await expect(tab.page.locator("html")).to_have_attribute("data-theme", "dark")

    async def test_title_follows_the_fragment_after_a_sign_up(self, opened: Opener) -> None:
        tab = await opened(full(), signed_in=False)
        await tab.open("/register")
        await tab.page.fill("#f-email", "new@example.com")
        await tab.page.fill("#f-password", "five-beacons-at-dusk")
        await tab.page.click("#register button")
        await expect(tab.page).to_have_title("메일함을 확인해 주세요 · 봉수")

    async def test_offline_notice_leaves_when_the_server_answers(self, opened: Opener) -> None:
        tab = await opened(full())
        await tab.open("/notifications")
        # Every address: a poll that the server answers would remove the notice before it is seen.
        await tab.page.route("**/*", lambda route: route.abort())
        await tab.page.click("#status-undelivered")
        await expect(tab.page.locator("#offline")).to_be_visible()
        await tab.page.unroute("**/*")
        await tab.page.click("#status-undelivered")
        await expect(tab.page.locator("#offline")).to_have_count(0)


class TestChoosing:
    @SCRIPTS
    async def test_the_theme_is_chosen(self, opened: Opener, scripts: bool) -> None:
        tab = await opened(full(), scripts=scripts, scheme="light")
        await tab.open("/guilds?show=active")
        await tab.page.click("button[value=dark]")
        await expect(tab.page.locator("html")).to_have_attribute("data-theme", "dark")
        await expect(tab.page).to_have_url(re.compile(r"/guilds\?show=active$"))

    @SCRIPTS
    async def test_the_language_is_chosen(self, opened: Opener, scripts: bool) -> None:
        tab = await opened(full(), scripts=scripts)
        await tab.open("/guilds")
        await tab.page.click("button[value=en]")
        await expect(tab.page.locator("h1")).to_have_text("Servers")

    async def test_the_system_is_followed_until_then(self, opened: Opener) -> None:
        colours = []
        for scheme in ("light", "dark"):
            tab = await opened(full(), scheme=scheme)
            await tab.open("/guilds")
            colours.append(await tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert colours[0] != colours[1]

    async def test_times_are_shown_in_the_time_zone_of_the_reader(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/notifications/{stage.notifications.items[1].id}")
        assert "UTC" not in await tab.page.inner_text(".timeline")
