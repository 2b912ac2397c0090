"""What a client prefers, by the quality values of its Accept fields."""

import pytest

from bongsu.runtime.negotiation import parse_qualities, preferred_language


class TestParseQualities:
    @pytest.mark.parametrize(
        ("header", "qualities"),
        [
            (None, {}),
            ("", {}),
            (" , ,", {}),
            ("text/html", {"text/html": 1.0}),
            ("Text/HTML;level=1 ; Q=0.5, */*", {"text/html": 0.5, "*/*": 1.0}),
            ("a;q=0", {"a": 0.0}),
            ("a;q=0.1, a;q=0.3, a;q=0.2", {"a": 0.3}),
            ("a;q=, b;q=x, c;q=1.1, d;q=-1, e;q=0.1234, f;q=nan, g;q=1e0", {}),
            ("a;q=1.000, b;q=0.", {"a": 1.0, "b": 0.0}),
        ],
    )
    def test_values_have_the_quality_that_the_field_gives(
        self, header: str | None, qualities: dict[str, float]
    ) -> None:
        assert parse_qualities(header) == qualities


class TestPreferredLanguage:
    @pytest.mark.parametrize(
        ("header", "language"),
        [
            (None, "ko"),
            ("", "ko"),
            ("en", "en"),
            ("EN-us", "en"),
            ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
            ("ko;q=0.1, en;q=0.2", "en"),
            ("fr, en;q=0.1", "en"),
            ("fr", "ko"),
            ("kok, en;q=0.1", "en"),  # Konkani is not Korean
            ("ko;q=0, en", "en"),
            ("ko;q=0", "en"),
            ("en;q=0", "ko"),
            ("ko;q=0, en;q=0", "ko"),
            ("ko;q=0, *", "en"),
            ("*;q=0.5, en;q=0.1", "ko"),
            ("*", "ko"),
            ("en, *;q=0.5", "en"),
            ("*;q=0", "ko"),
            ("en;q=0.5, ko;q=0.5", "en"),
            ("ko;q=0.5, en;q=0.5", "ko"),
            ("en-GB;q=0, en;q=0.5", "en"),
            ("en;q=x", "ko"),
            ("en;q=2, ko;q=0.1", "ko"),
            ("ko;q=0.2, en;q=x", "ko"),
            (";;;,,,q=1", "ko"),
            ("en" + "," * 10_000, "en"),
        ],
    )
    def test_language_is_the_one_that_the_field_ranks_highest(self, header: str | None, language: str) -> None:
        assert preferred_language(header, ("ko", "en"), default="ko") == language

    def test_default_is_returned_when_the_field_names_no_offered_language(self) -> None:
        assert preferred_language("ja", ("ko", "en"), default="en") == "en"
        assert preferred_language("*", ("ko", "en"), default="en") == "en"
