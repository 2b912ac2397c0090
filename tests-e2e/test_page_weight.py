"""What a browser has to load for the page of a guild, as the stack compresses and caches it."""

import re
from typing import Final

import httpx
import pytest
from harness.people import sign_in_with_discord
from harness.stack import Stack

from tests.eventually import wait_until

MANAGER: Final = "200000000000000001"
"""A persona who manages three guilds; the bot is in one of them."""
LIMIT_BYTES: Final = 60_000
SLOW_BYTES_A_S: Final = 400_000 / 8
ROUND_TRIP_S: Final = 0.2
PAINT_S: Final = 2.0
MAX_BLOCKING: Final = 3
"""The requests of one host that a browser makes at a time leave room for them."""

ASSET: Final = re.compile(r'(?:href|src)="(/static/[^"]+)"')
STYLE: Final = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
SCRIPT: Final = re.compile(r"<script\b[^>]*>")
GUILD: Final = re.compile(r'href="(/guilds/\d+)"')


def load(browser: httpx.Client, path: str) -> httpx.Response:
    return browser.get(path).raise_for_status()


def find_active_guild(browser: httpx.Client) -> str | None:
    """The path of the guild that has the bot."""
    paths = dict.fromkeys(GUILD.findall(load(browser, "/guilds").text))
    return next((path for path in paths if 'data-state="active"' in load(browser, path).text), None)


@pytest.fixture
def browser(stack: Stack) -> httpx.Client:
    """A browser in which a manager of guilds is signed in."""
    browser = stack.client()
    browser.headers["Accept-Encoding"] = "gzip"
    sign_in_with_discord(browser, MANAGER)
    return browser


class TestGuildPage:
    @pytest.mark.timeout(180)
    def test_guild_page_is_light_and_paints_early_on_a_slow_line(self, browser: httpx.Client) -> None:
        path = wait_until(lambda: find_active_guild(browser), 60, "the bot is connected")
        assert path is not None
        page = load(browser, path)
        assets = {url: load(browser, url) for url in dict.fromkeys(ASSET.findall(page.text))}
        total = page.num_bytes_downloaded + sum(one.num_bytes_downloaded for one in assets.values())
        assert total < LIMIT_BYTES

        blocking = STYLE.findall(page.text)
        assert len(blocking) <= MAX_BLOCKING
        assert [tag for tag in SCRIPT.findall(page.text) if " defer" not in tag] == []
        assert not any(re.search(r"@import|@font-face|url\(\s*['\"]?http", assets[url].text) for url in blocking)
        # To connect, the page, and its style sheets, which share the line with everything else that the page loads.
        assert 3 * ROUND_TRIP_S + total / SLOW_BYTES_A_S < PAINT_S

        for url, asset in assets.items():
            assert "immutable" in asset.headers["cache-control"], url
            assert asset.num_bytes_downloaded < 1_500 or asset.headers["content-encoding"] == "gzip", url
