import pytest
from fastapi import Request

from bongsu_sandbox.pages.negotiation import language, wants_page


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


class TestWantsPage:
    @pytest.mark.parametrize(
        ("accept", "page"),
        [
            ("text/html", True),
            ("text/html,application/xhtml+xml,*/*;q=0.8", True),
            ("application/json;q=0.4, text/html;q=0.5", True),
            ("application/json, text/html", False),
            ("*/*", False),
            ("", False),
            ("text/html;q=0", False),
            ("text/html;q=x", False),
        ],
    )
    def test_page_is_served_only_when_the_client_prefers_html(self, accept: str, page: bool) -> None:
        assert wants_page(request(accept=accept)) is page


class TestLanguage:
    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ("ko", "ko"),
            ("ko-KR,en;q=0.9", "ko"),
            ("en-GB,ko;q=0.9", "en"),
            ("fr,ko;q=0.1", "ko"),
            ("ja", "en"),
            ("ko;q=0", "en"),
            ("", "en"),
        ],
    )
    def test_the_most_wanted_of_the_two_is_taken(self, header: str, code: str) -> None:
        assert language(request(accept_language=header)) == code
