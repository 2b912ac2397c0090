"""The documentation pages of the APIs in a real Chromium: accessible in light and dark, wide and on a phone."""

import shutil
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from harness.stack import Stack
from playwright.async_api import async_playwright, expect

from tests.infrastructure.needs import cannot_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A body with fields, a list with filters, and a form without either.
OPENED = {
    "auth": ["POST /auth/api-keys", "GET /auth/audit", "GET /auth/providers"],
    "v1": ["POST /v1/notifications", "GET /v1/notifications", "POST /v1/notifications/retry"],
}


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("api", ["auth", "v1"])
async def test_operations_are_readable(  # noqa: PLR0917 - each is one dimension of the matrix
    request: pytest.FixtureRequest,
    stack: Stack,
    api: str,
    scheme: Literal["light", "dark"],
    width: int,
    language: str,
) -> None:
    if CHROMIUM is None:
        cannot_run(request.node, ("Chromium", "install chromium"))
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800}, locale=language)
        page.set_default_timeout(60_000)
        page.on("request", lambda sent: asked.append(sent.url))
        await page.goto(f"{stack.url}/{api}/docs")
        for name in OPENED[api]:
            method, path = name.split()
            operation = page.locator(f'.opblock-{method.lower()}:has([data-path="{path}"])')
            await operation.locator(".opblock-summary-control").click()
            await expect(operation.locator(".responses-table").first).to_be_visible(timeout=60_000)
            await operation.get_by_role("button", name={"en": "Try it out", "ko": "실행해 보기"}[language]).click()
        await page.evaluate(
            "Promise.allSettled("
            "document.getAnimations().filter(one => one instanceof CSSTransition).map(one => one.finished))"
        )
        results = await Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        await browser.close()
    found = [
        f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in results.response["violations"]
        for node in one["nodes"]
    ]
    assert found == []
    assert overflow <= 0
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(stack.url).netloc}
