from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from bongsu.contracts.text import Matching, is_visible, require_single_line, shorten


class TestRequireSingleLine:
    @pytest.mark.parametrize("text", ["", "봉수 Bongsu", "👩‍👩‍👧 family", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "ก็", "a\u3000b"])
    def test_text_and_joined_emoji_pass(self, text: str) -> None:
        assert require_single_line(text) == text

    @pytest.mark.parametrize("char", ["\n", "\r", "\t", "\x00", "\x7f", "\u0085", "\u2028", "\u2029", "\ud800"])
    def test_controls_and_line_separators_are_refused(self, char: str) -> None:
        with pytest.raises(ValueError, match="one line"):
            require_single_line(f"a{char}b")

    @pytest.mark.parametrize("char", ["\u200e", "\u200f", "\u061c", "\u202e", "\u2066", "\u2069"])
    def test_bidi_controls_are_refused(self, char: str) -> None:
        with pytest.raises(ValueError, match="one line"):
            require_single_line(f"a{char}b")


class TestIsVisible:
    @pytest.mark.parametrize("text", ["봉수", "🔥", "a\u200b", "مجتمع", "\U0001fae9", " \u3164b"])
    def test_text_with_a_visible_character_is_visible(self, text: str) -> None:
        assert is_visible(text)

    @pytest.mark.parametrize("text", ["", " \t\n", "\u200b\u200b", "\u3164", "\u2800\u2800", "\u202e", "\u3000"])
    def test_text_of_blanks_is_not(self, text: str) -> None:
        assert not is_visible(text)


class TestShorten:
    @pytest.mark.parametrize(
        ("text", "max_chars", "short"),
        [
            ("봉수", 5, "봉수"),
            ("abcdef", 3, "abc"),
            ("a👩‍👩‍👧b", 6, "a👩‍👩‍👧"),
            ("a👩‍👩‍👧b", 5, "a"),
            ("a👩‍👩‍👧b", 4, "a"),
            ("a👍🏽b", 2, "a"),
            ("a❤️b", 2, "a"),
            ("ab🇰🇷", 3, "ab"),
            ("🇰🇷🇬🇧🇺🇸", 4, "🇰🇷🇬🇧"),
            ("🇰🇷🇬🇧", 3, "🇰🇷"),
            ("🏴󠁧󠁢󠁥󠁮󠁧󠁿b", 3, ""),
            ("", 3, ""),
        ],
    )
    def test_emoji_stay_whole(self, text: str, max_chars: int, short: str) -> None:
        assert shorten(text, max_chars) == short


class TestMatching:
    FORM: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(max_length=4), Matching("^[0-9]+$", "must be digits")])

    def test_text_of_the_form_is_taken(self) -> None:
        assert self.FORM.validate_python("12") == "12"

    @pytest.mark.parametrize(
        ("value", "message"),
        [("x", "must be digits"), ("", "must be digits"), ("12345", "at most 4 characters"), (1, "a valid string")],
    )
    def test_error_says_what_fits(self, value: object, message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            self.FORM.validate_python(value)

    def test_schema_shows_the_pattern(self) -> None:
        assert self.FORM.json_schema() == {"type": "string", "maxLength": 4, "pattern": "^[0-9]+$"}
