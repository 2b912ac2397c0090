"""Pages that follow changes by polling: in many tabs, after a connection was lost, after access was lost."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from services.dashboard.tests.browser.conftest import Opener
from services.dashboard.tests.browser.scenes import ABSENT, ACTIVE, full
from services.dashboard.tests.fakes import MINA, a_summary

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = 12
"""Twice as many as the connections that a browser opens to a server: streams that stay open would block the rest."""


class TestPolling:
    async def test_many_tabs_leave_connections_for_another_page_and_all_follow(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        pages: list[Page] = [await tab.page.context.new_page() for _ in range(TABS)]
        await asyncio.gather(*(page.goto(f"{tab.site.url}/guilds/{ABSENT}/added") for page in pages))
        for page in pages:
            await expect(page.locator("#state")).to_have_attribute("data-state", "pending")
        await tab.open("/notifications")
        await expect(tab.page.locator(".data")).to_be_visible()
        stage.bot.known[ABSENT] = a_summary(ABSENT)
        for page in pages:
            await expect(page.locator("#state")).to_have_attribute("data-state", "active")

    async def test_page_catches_up_with_what_happened_while_it_was_offline(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ABSENT}/added")
        await tab.page.context.set_offline(True)
        await expect(tab.page.locator("#notices")).to_contain_text("서버가 응답하지 않습니다")
        stage.bot.known[ABSENT] = a_summary(ABSENT)
        await tab.page.context.set_offline(False)
        await expect(tab.page.locator("#state")).to_have_attribute("data-state", "active")
        await expect(tab.page.locator("#offline")).to_have_count(0)

    async def test_nothing_of_a_guild_arrives_after_its_manager_lost_the_right(self, opened: Opener) -> None:
        stage = full()
        tab = await opened(stage)
        await tab.open(f"/guilds/{ABSENT}/added")
        await expect(tab.page.locator("#state")).to_have_attribute("data-state", "pending")
        stage.directory.managed_by[MINA] = [one for one in stage.directory.managed_by[MINA] if one.id == ACTIVE]
        stage.bot.known[ABSENT] = a_summary(ABSENT)
        async with tab.page.expect_response(lambda answer: "/state" in answer.url) as polled:
            pass
        answer = await polled.value
        assert answer.status == 404
        assert str(stage.bot.known[ABSENT].name) not in await answer.text()
        await expect(tab.page.locator("#state")).not_to_have_attribute("data-state", "active")
