import pytest

from bongsu.contracts.text import is_visible
from bongsu_dashboard.guilds.names import is_typed
from services.dashboard.tests.fakes import a_guild


class TestIsTyped:
    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("봉수대 개발팀", "봉수대 개발팀"),
            ("  봉수대   개발팀 ", "봉수대 개발팀"),
            ("indie makers", "Indie Makers"),
            ("txt.exe", "txt\u202e.exe"),
            ("ab", "a\u200bb"),
            ("ﬁ", "fi"),
            ("가", "\u1100\u1161"),
            ("{{7*7}}", "{{7*7}}"),
        ],
    )
    def test_names_that_look_the_same_are_equal(self, typed: str, name: str) -> None:
        assert is_typed(typed, name, 1)

    @pytest.mark.parametrize("typed", ["", "봉수대", "봉수대 개발팀!", "2"])
    def test_anything_else_is_not(self, typed: str) -> None:
        assert not is_typed(typed, "봉수대 개발팀", 1)

    def test_the_id_will_do(self) -> None:
        assert is_typed("300000000010616832", "🎉", 300000000010616832)

    def test_a_name_without_visible_characters_needs_the_id(self) -> None:
        assert not is_typed("", "\u200b", 5)


class TestIsVisible:
    @pytest.mark.parametrize("name", ["봉수대", "🔥", "a\u200b", "مجتمع"])
    def test_name_with_a_visible_character_is_visible(self, name: str) -> None:
        assert is_visible(name)

    @pytest.mark.parametrize("name", ["", " ", "\u200b\u200b", "\u3164", "\u2800\u2800", "\u202e"])
    def test_name_of_blanks_is_not_visible(self, name: str) -> None:
        assert not is_visible(name)
        assert a_guild(8 << 22, name).name == str(8 << 22)
