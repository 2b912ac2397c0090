import pytest

from bongsu.contracts.text import require_single_line


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
