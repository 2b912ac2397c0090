"""The sandbox's pages in a real Chromium: accessible, within their window and their policy, in both themes."""

import shutil
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from harness.stack import Stack
from playwright.async_api import ConsoleMessage, async_playwright

from tests.eventually import wait_until
from tests.infrastructure.needs import cannot_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GUILD, MEMBER = 300000000006422528, 200000000000000002
"""A guild of the sandbox with the bot, and a member of it."""
DIRECT = f"/sandbox/discord?channel={MEMBER | 1 << 62}"
PAGES = [
    "/sandbox/",
    "/sandbox/mailbox",
    "/sandbox/ledger",
    f"/sandbox/discord?channel={GUILD + 11}",
    DIRECT,
    "/sandbox/kakao/messages",
]
LOOKS: list[tuple[Literal["light", "dark"], int, str]] = [("light", 1280, "ko-KR"), ("dark", 320, "en-US")]


@pytest.mark.parametrize("look", LOOKS, ids=["wide and light", "narrow and dark"])
async def test_pages_are_accessible_and_share_the_tokens(
    request: pytest.FixtureRequest, stack: Stack, look: tuple[Literal["light", "dark"], int, str]
) -> None:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    _give(stack, "help")
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


def _give(stack: Stack, command: str) -> None:
    """Run a command in the direct messages of the member and the bot, once it is registered."""
    body = {"command": command, "user_id": str(MEMBER), "wait_s": 20}
    with stack.client() as client:

        def is_answered() -> bool:
            answer = client.post("/sandbox/discord/control/interactions", json=body)
            return answer.is_success and answer.json()["status"] == "answered"

        wait_until(is_answered, 60, f"/{command} is answered")


@pytest.mark.parametrize("width", [1280, 320])
async def test_member_runs_a_command_and_chooses_from_its_menu(
    request: pytest.FixtureRequest, stack: Stack, width: int
) -> None:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    _give(stack, "ping")  # the commands are registered
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(viewport={"width": width, "height": 800}, locale="en-US")
        page.set_default_timeout(60_000)
        await page.goto(f"{stack.url}/sandbox/discord")
        await (
            page.get_by_role("navigation", name="Servers and channels").get_by_role("link", name="James Walker").click()
        )
        await page.get_by_label("Command").select_option("/help")
        await page.get_by_role("button", name="Select").first.click()
        await page.get_by_role("button", name="Run").click()
        answer = page.get_by_role("article").first
        await answer.get_by_text("Only James Walker can see this").wait_for()
        await answer.get_by_role("combobox").select_option("Status")
        await answer.get_by_role("button", name="Select").click()
        await page.get_by_text("Check that the bot is online").first.wait_for()
        await browser.close()
