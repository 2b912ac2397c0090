"""Bytes that no browser of good will sends: a clear answer, and never a 5xx."""

import base64

import pytest

from bongsu_dashboard.browser import Browser
from services.dashboard.tests.fakes import PASSWORD
from services.dashboard.tests.stage import Stage


class TestHeaders:
    @pytest.mark.parametrize("name", ["user-agent", "x-forwarded-for", "accept-language", "x-request-id"])
    async def test_a_header_that_is_no_text_is_no_failure(self, stage: Stage, name: str) -> None:
        browser = stage.mina()
        answer = await browser.client.get("/account", headers={name.encode(): "불".encode()})
        assert answer.status_code == 200

    def test_forwarded_headers_are_ascii(self) -> None:
        given = Browser(access_token="a한b", user_agent="봉수 1.0", addresses="1.2.3.4").headers()
        assert (given["Authorization"], given["User-Agent"]) == ("Bearer ab", " 1.0")


class TestAccessCookie:
    def test_bottomless_claims_are_none(self) -> None:
        payload = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        assert Browser(access_token=f"a.{payload}.c").session_id == ""


class TestNext:
    async def test_a_way_back_in_hangul_is_encoded_for_htmx(self, stage: Stage) -> None:
        browser = stage.browser()
        await browser.get("/login")
        fields: dict[str, str | list[str]] = {"email": "mina@example.com", "password": PASSWORD, "next": "/가"}
        answer = await browser.post("/login", fields, htmx=True)
        assert answer.headers["hx-redirect"] == "/%EA%B0%80"
