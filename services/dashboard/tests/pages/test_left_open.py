"""Pages that were left open, opened again or reached by a detour still lead on."""

import pytest

from services.dashboard.tests.fake_notifications import a_notification
from services.dashboard.tests.fakes import MINA, PASSWORD, a_guild
from services.dashboard.tests.stage import URL, Stage, text_of


class TestAddressOfARefusedForm:
    @pytest.mark.parametrize(
        ("address", "page"),
        [
            ("/account/profile", "/account"),
            ("/account/link/discord", "/account"),
            ("/guilds/5/bot", "/guilds/5"),
            ("/guilds/5/bot/remove", "/guilds/5"),
            ("/register/resend", "/register"),
            ("/guilds?q=x", "/guilds?q=x"),
            ("/nothing", "/nothing"),
        ],
    )
    async def test_switch_leads_to_its_page(self, stage: Stage, address: str, page: str) -> None:
        browser = stage.mina()
        await browser.get("/account")
        here = {"Referer": f"{URL}{address}"}
        switched = await browser.post("/preferences/theme", {"theme": "dark"}, headers=here)
        assert (switched.status_code, switched.headers["location"]) == (303, page)

    async def test_language_can_be_switched_after_a_refused_profile(self, stage: Stage) -> None:
        browser = stage.mina()
        await browser.get("/account")
        await browser.post("/account/profile", {"name": "x" * 101, "locale": "ko"})
        here = {"Referer": f"{URL}/account/profile"}
        switched = await browser.post("/preferences/language", {"language": "en"}, headers=here)
        page = await browser.get(switched.headers["location"], follow=True)
        assert (page.status_code, "Linked accounts" in text_of(page.text)) == (200, True)


class TestStaleForm:
    async def test_login_left_open_explains_the_next_step_after_signing_in_elsewhere(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        browser.client.cookies.set("access-80", MINA)
        fields: dict[str, str | list[str]] = {"email": "mina@example.com", "password": PASSWORD, "next": "/"}
        answer = await browser.post("/login", fields, headers={"Referer": f"{URL}/login"})
        assert answer.status_code == 403
        assert "오래된 화면입니다" in text_of(answer.text)
        assert 'href="/login"' in answer.text


class TestUsedLink:
    async def test_offers_sign_in_and_sign_up(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/verify?token=used")
        page = (await browser.post("/verify", {"token": "used", "password": PASSWORD})).text
        assert ('href="/login"' in page, 'href="/register"' in page) == (True, True)


class TestBack:
    async def test_keeps_the_filter_of_the_list(self, stage: Stage) -> None:
        item = a_notification()
        stage.notifications.items = [item]
        stage.directory.managed_by[MINA] = [a_guild(5, "봉수대")]
        client = stage.mina().client
        for path, source in (
            (f"/notifications/{item.id}", "/notifications?status=failed"),
            ("/guilds/5", "/guilds?q=x"),
        ):
            page = await client.get(path, headers={"Referer": f"{URL}{source}"})
            assert f'class="back" href="{source}"' in page.text
            other = await client.get(path, headers={"Referer": f"http://evil.example{source}"})
            assert f'class="back" href="{source.partition("?")[0]}"' in other.text


class TestCancelling:
    async def test_cancel_asks_for_confirmation(self, stage: Stage) -> None:
        item = a_notification("내일 소식", status="queued")
        stage.notifications.items = [item]
        browser = stage.mina()
        page = await browser.get(f"/notifications/{item.id}/cancel")
        assert "알림을 보내지 않습니다. 다음 페이지에서 취소를 되돌릴 수 있습니다." in text_of(page.text)
        assert stage.notifications.items == [item]

    async def test_confirmation_of_a_cancelled_notification_leads_to_its_page(self, stage: Stage) -> None:
        item = a_notification(status="cancelled")
        stage.notifications.items = [item]
        answer = await stage.mina().get(f"/notifications/{item.id}/cancel", follow=True)
        assert answer.url.path == f"/notifications/{item.id}"
        assert "취소할 수 없습니다" not in text_of(answer.text)


class TestCompression:
    async def test_page_is_compressed(self, stage: Stage) -> None:
        page = await stage.mina().client.get("/account", headers={"Accept-Encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip"
