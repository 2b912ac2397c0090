"""The language check finds every banned word where it looks, and leaves data alone."""

from pathlib import Path

import pytest

from tools.architecture.language import banned_words, violations

PRODUCT = "services/auth/src/bongsu_auth/accounts/service.py"
TEST = "services/auth/tests/accounts/test_service.py"


def banned_in(root: Path, path: str, text: str) -> list[str]:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [f"{violation.line}: {violation.message.split('`')[1]}" for violation in violations(root)]


class TestWords:
    @pytest.mark.parametrize("word", banned_words())
    def test_each_word_of_the_list_is_found(self, tmp_path: Path, word: str) -> None:
        assert banned_in(tmp_path, "docs/page.md", f"First line.\nThen {word.upper()}.\n") == [f"2: {word}"]

    @pytest.mark.parametrize("text", ["toldest", "amendment", "output office", "hours", "x is None"])
    def test_a_longer_word_passes(self, tmp_path: Path, text: str) -> None:
        assert banned_in(tmp_path, "docs/page.md", text) == []


class TestPlaces:
    @pytest.mark.parametrize("path", [PRODUCT, TEST])
    @pytest.mark.parametrize(
        "code",
        [
            '"""What the caller is told."""\n',
            "def f():\n    '''Told.'''\n",
            "x = 1  # as told\n",
            "def told(): ...\n",
            "class ToldPlainly: ...\n",
            "def test_who_is_told_first(): ...\n",
            "AS_TOLD = 1\n",
        ],
    )
    def test_names_comments_and_docstrings_are_read(self, tmp_path: Path, path: str, code: str) -> None:
        assert [found.partition(": ")[2] for found in banned_in(tmp_path, path, code)] == ["told"]

    @pytest.mark.parametrize(
        ("code", "found"),
        [("x = f'{name} was told'\n", ["1: told"]), ("x = (\n    'all at '\n    'once'\n)\n", ["2: at once"])],
    )
    def test_strings_of_the_product_are_read_and_those_of_tests_are_data(
        self, tmp_path: Path, code: str, found: list[str]
    ) -> None:
        assert banned_in(tmp_path, PRODUCT, code) == found
        (tmp_path / PRODUCT).unlink()
        assert banned_in(tmp_path, TEST, code) == []

    def test_a_phrase_may_go_on_in_the_next_line(self, tmp_path: Path) -> None:
        assert banned_in(tmp_path, TEST, "# They are put\n# off.\n") == ["1: put off"]

    @pytest.mark.parametrize(
        "path",
        ["a/templates/page.html", "a/translations/en.toml", "compose.yaml", "Makefile", ".ci/run", "a/static/a.js"],
    )
    def test_other_texts_of_the_project_are_read(self, tmp_path: Path, path: str) -> None:
        assert banned_in(tmp_path, path, "told\n") == ["1: told"]

    @pytest.mark.parametrize("path", [".venv/a.py", "a/static/vendor/a.js", "uv.lock", "a/LICENSE", "var/a.md"])
    def test_texts_of_others_are_left_alone(self, tmp_path: Path, path: str) -> None:
        assert banned_in(tmp_path, path, "told\n") == []
