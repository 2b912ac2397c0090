"""The sandbox's pages in a real Chromium: accessible, within their window and their policy, in both themes."""

import shutil
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from harness.stack import Stack
from playwright.async_api import ConsoleMessage, async_playwright

from tests.infrastructure.needs import cannot_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ["/sandbox/", "/sandbox/mailbox", "/sandbox/ledger", "/sandbox/discord"]
LOOKS: list[tuple[Literal["light", "dark"], int, str]] = [("light", 1280, "ko-KR"), ("dark", 320, "en-US")]


@pytest.mark.parametrize("look", LOOKS, ids=["wide and light", "narrow and dark"])
async def test_pages_are_accessible_and_share_the_tokens(
    request: pytest.FixtureRequest, stack: Stack, look: tuple[Literal["light", "dark"], int, str]
) -> None:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    scheme, width, language = look
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(
            color_scheme=scheme, viewport={"width": width, "height": 800}, locale=language, reduced_motion="reduce"
        )
        page.set_default_timeout(60_000)
        page.on("console", listen)
        for path in PAGES:
            await page.goto(stack.url + path)
            results = await Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
            found = [
                f"{path} {one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
                for one in results.response["violations"]
                for node in one["nodes"]
            ]
            assert found == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            colour = "getComputedStyle(document.documentElement).getPropertyValue('--primary')"
            here = await page.evaluate(colour)
            await page.goto(f"{stack.url}/login")
            assert await page.evaluate(colour) == here, path
        await browser.close()
    assert complaints == []
