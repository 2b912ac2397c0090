"""The list of notifications at work, with scripts."""

from uuid import UUID

import pytest
from playwright.async_api import expect

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import full
from services.dashboard.tests.fake_notifications import a_notification

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINES_BY_WORD = """(element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), lines = {};
    while (walker.nextNode())
        for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
            const range = document.createRange();
            range.setStart(walker.currentNode, word.index);
            range.setEnd(walker.currentNode, word.index + word[0].length);
            lines[word[0]] = new Set([...range.getClientRects()].map((box) => box.top)).size;
        }
    return lines;
}"""


class TestList:
    async def test_list_is_filtered_selected_and_refreshed_in_place(self, opened: Opener) -> None:
        stage = full()
        items = stage.notifications.items
        tab = await opened(stage)
        page = tab.page
        await tab.open("/notifications")

        await page.get_by_role("link", name="전달 실패 1").click()
        await expect(page.locator(".data tbody tr")).to_have_count(1)
        await expect(page).to_have_url(f"{tab.site.url}/notifications?status=undelivered")
        await expect(page.locator("#status-undelivered")).to_be_focused()

        await page.get_by_label("제목, 받는 사람, ID로 찾기").press_sequentially("old-address")
        await expect(page).to_have_url(f"{tab.site.url}/notifications?status=undelivered&q=old-address")
        await expect(page.get_by_label("제목, 받는 사람, ID로 찾기")).to_be_focused()

        await expect(page.get_by_role("button", name="다시 보내기")).to_be_disabled()
        await page.get_by_label("모두 선택").check()
        await expect(page.locator("[data-selected]")).to_have_text("1건 선택")
        await page.get_by_role("button", name="다시 보내기").click()
        await expect(page.locator("#notices")).to_contain_text("알림 1건을 다시 보냅니다")
        await expect(page).to_have_url(f"{tab.site.url}/notifications?status=undelivered&q=old-address")
        assert stage.notifications.items[3].status == "queued"

        await tab.open("/notifications")
        items.insert(0, a_notification("방금 온 알림", id=UUID(int=items[0].id.int + 1)))
        await page.get_by_role("link", name="새 알림 1건 보기").click()
        await expect(page.locator(".data tbody tr").first).to_contain_text("방금 온 알림")
        await expect(page.locator("#fresh a")).to_have_count(0)

        await page.locator("[name=since]").fill("2999-01-01")
        await expect(page.locator(".empty")).to_be_visible()
        zone: str = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
        assert zone == "UTC" or f"zone={zone.replace('/', '%2F')}" in page.url
        await page.go_back()
        await expect(page.locator(".data tbody tr").first).to_be_visible()
        assert await tab.violations() == []
        assert tab.complaints == []

    async def test_back_and_forward_pass_every_filter_once(self, opened: Opener) -> None:
        tab = await opened(full())
        page, ids = tab.page, ["#status-undelivered", "#status-done"]
        await tab.open("/notifications")
        addresses = [page.url]
        for selector in ids:
            await page.click(selector)
            await expect(page.locator(selector)).to_have_attribute("aria-current", "true")
            addresses.append(page.url)
        for at in (1, 0):
            await page.go_back()
            await expect(page).to_have_url(addresses[at])
            await expect(page.locator("html")).not_to_have_attribute("data-busy", "")
        await expect(page.locator(ids[0])).not_to_have_attribute("aria-current", "true")
        for at in (1, 2):
            await page.go_forward()
            await expect(page).to_have_url(addresses[at])
            await expect(page.locator(ids[at - 1])).to_have_attribute("aria-current", "true")
        assert tab.complaints == []

    async def test_korean_words_stay_whole_on_an_english_page(self, opened: Opener) -> None:
        stage = full()
        stage.speak("en")
        subject = "봉화가 올랐으니 남산으로 전령을 보내고 군사를 모으시기 바랍니다"
        stage.notifications.items.insert(0, a_notification(subject))
        tab = await opened(stage, size=(320, 640), language="en-US")
        await tab.open(f"/notifications/{stage.notifications.items[0].id}")
        assert await tab.page.locator("html").get_attribute("lang") == "en"
        lines_by_word: dict[str, int] = await tab.page.get_by_role("heading", level=1).evaluate(LINES_BY_WORD)
        assert lines_by_word == dict.fromkeys(subject.split(), 1)

    @pytest.mark.parametrize("width", [320, 768, 1024])
    async def test_subject_has_room_when_the_window_is_narrow(self, opened: Opener, width: int) -> None:
        tab = await opened(full(), size=(width, 700))
        await tab.open("/notifications")
        box = await tab.page.locator(".data tbody th a").first.bounding_box()
        assert box is not None
        assert box["width"] > 140


class TestUndo:
    async def test_cancellation_is_undone_by_keyboard(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        page, item = tab.page, stage.notifications.items[0]
        await tab.open(f"/notifications/{item.id}/cancel")
        await page.get_by_role("button", name="알림 취소").press("Enter")
        await expect(page.locator("#notices")).to_contain_text("알림을 취소했습니다")
        assert [one.status for one in stage.notifications.items[:1]] == ["cancelled"]
        assert (await tab.inaccessible(), await tab.overflow()) == ([], 0)
        await page.get_by_role("button", name="취소를 되돌리고 바로 보내기").press("Enter")
        await expect(page.locator("#notices")).to_contain_text("취소를 되돌렸습니다")
        assert [one.status for one in stage.notifications.items[:1]] == ["accepted"]
        assert (await tab.violations(), tab.complaints) == ([], [])


class TestStory:
    async def test_mail_is_framed_attempts_unfold_and_values_are_copied(self, opened: Opener) -> None:
        stage = full()
        stage.notifications.html = "<h1>제목</h1><script>parent.document.title = 'taken'</script><img src='/static/x'>"
        tab = await opened(stage)
        page = tab.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        item = stage.notifications.items[3]
        await tab.open(f"/notifications/{item.id}")
        await page.locator("iframe.mail").scroll_into_view_if_needed()
        await expect(page.frame_locator("iframe.mail").locator("h1")).to_have_text("제목")
        assert await page.title() != "taken"

        await expect(page.locator(".fold ol")).to_be_hidden()
        await page.locator(".fold summary").click()
        await expect(page.locator(".fold ol")).to_be_visible()

        await page.locator(f'[data-copy="{item.id}"]').click()
        await expect(page.locator(f'[data-copy="{item.id}"] span')).to_have_text("복사했습니다")
        assert await page.evaluate("navigator.clipboard.readText()") == str(item.id)
        assert await tab.violations() == []
