"""The documentation pages of the APIs in a real Chromium: readable in light and dark and on a phone."""

import shutil
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from harness.stack import Stack
from playwright.async_api import async_playwright, expect

from tests.infrastructure.needs import cannot_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("api", ["auth", "v1"])
async def test_operations_are_readable(
    request: pytest.FixtureRequest, stack: Stack, api: str, scheme: Literal["light", "dark"]
) -> None:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(color_scheme=scheme, viewport={"width": 320, "height": 800})
        page.set_default_timeout(60_000)
        page.on("request", lambda sent: asked.append(sent.url))
        await page.goto(f"{stack.url}/{api}/docs")
        operation = page.locator(".opblock").first
        await operation.locator(".opblock-summary-control").click()
        await expect(operation.locator(".opblock-body")).to_be_visible(timeout=60_000)
        found = await Axe().run(page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]})
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        await browser.close()
    assert [node["target"] for one in found.response["violations"] for node in one["nodes"]] == []
    assert overflow <= 0
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(stack.url).netloc}
