import pytest

from bongsu_dashboard.guilds.names import is_typed


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
