import re

import httpx
import pytest

from bongsu_sandbox.pages.rendering import read_texts
from sandbox.tests.mailbox.test_endpoints import BROWSER, send

ENGLISH, KOREAN = read_texts("en"), read_texts("ko")
PAGES = ["/sandbox/", "/sandbox/mailbox", "/sandbox/ledger"]


class TestPages:
    @pytest.mark.parametrize("path", PAGES)
    @pytest.mark.parametrize(("language", "word"), [("ko-KR,ko;q=0.9,en;q=0.8", "메일함"), ("fr,en;q=0.5", "Mailbox")])
    async def test_they_speak_the_readers_language(
        self, http: httpx.AsyncClient, path: str, language: str, word: str
    ) -> None:
        answer = await http.get(path, headers={**BROWSER, "Accept-Language": language})
        assert answer.status_code == 200
        assert word in answer.text
        assert f'<html lang="{answer.headers["content-language"]}">' in answer.text

    async def test_nothing_inline_and_nothing_from_elsewhere(self, http: httpx.AsyncClient) -> None:
        mail_id = await send(http, html="<p>x</p>")
        await http.post("/sandbox/faults", json={"target": "ses", "kind": "hang"})
        for path in [*PAGES, f"/sandbox/mailbox/{mail_id}", f"/sandbox/mailbox/{mail_id}?view=headers"]:
            answer = await http.get(path, headers=BROWSER)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", answer.text)
            assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)

    async def test_static_files_are_named_by_their_content(self, http: httpx.AsyncClient) -> None:
        page = (await http.get("/sandbox/", headers=BROWSER)).text
        addresses = re.findall(r'"(/sandbox/static/[^"]+)"', page)
        assert len(addresses) == 4
        for address in addresses:
            answer = await http.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]

    async def test_an_unknown_static_file_is_not_found(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/sandbox/static/none.css")).status_code == 404

    async def test_the_address_without_a_slash_leads_on(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/sandbox")).headers["location"] == "/sandbox/"


class TestWording:
    def test_both_languages_say_the_same_things(self) -> None:
        assert set(KOREAN) == set(ENGLISH)
        assert all(KOREAN.values())
        assert all(ENGLISH.values())
        assert set(KOREAN["discord"]) == set(ENGLISH["discord"])
