"""The pages to which a browser may be redirected: by the function, and in a whole flow."""

import pytest

from bongsu.identity.redirects import is_safe, safe_or_home
from bongsu_auth.oauth.models import OAuthState
from services.auth.tests.providers import Person
from services.auth.tests.stage import Stage

BAD = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\\/evil.example", "\\/evil.example",
    "https://evil.example", "https:evil.example", "http:/evil.example", "javascript:alert(1)", "data:text/html,x",
    "%2f%2fevil.example", "/%2f/evil.example", "/%2Fevil.example", "/%5cevil.example", "/\t/evil.example",
    "/%09/evil.example", "/\n/evil.example", "/x\r\nLocation: https://evil.example", "/%0d%0aSet-Cookie:a=b",
    "@evil.example", " /x", "/x\x00", "", "evil.example", "/./" + "/evil.example", "/a/..//evil.example",
    "/\u2028x", "/\u202ex", "/" + "x" * 3000,
]  # fmt: skip
GOOD = [
    "/", "/guilds", "/guilds/300000000002228224?tab=modules&x=a%2Fb", "/login?next=//evil.example", "/a#b",
    "/경로?이름=값", "/@me", "/a:b",
]  # fmt: skip


class TestIsSafe:
    @pytest.mark.parametrize("path", BAD)
    def test_address_of_another_site_is_unsafe(self, path: str) -> None:
        assert not is_safe(path)

    @pytest.mark.parametrize("path", GOOD)
    def test_path_of_this_site_is_safe(self, path: str) -> None:
        assert is_safe(path)

    def test_missing_path_is_the_front_page(self) -> None:
        assert (safe_or_home("//e"), safe_or_home(None), safe_or_home("/x")) == ("/", "/", "/x")


class TestCallback:
    @pytest.mark.parametrize("path", BAD)
    async def test_address_of_another_site_leads_to_the_front_page(self, stage: Stage, path: str) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person(email=stage.new_address()), next_path=path)
            assert (await browser.get(callback)).headers["location"] == "/"

    async def test_path_is_checked_again_at_the_callback(self, stage: Stage) -> None:
        async with stage.browser() as browser:
            callback = await stage.sent_back(browser, "discord", Person(email=stage.new_address()), next_path="/x")
            await (await OAuthState.filter_by().one()).update(next_path="//evil.example")
            assert (await browser.get(callback)).headers["location"] == "/"
