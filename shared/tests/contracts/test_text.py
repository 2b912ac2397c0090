import pytest

from bongsu.contracts.text import require_single_line, shorten


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
