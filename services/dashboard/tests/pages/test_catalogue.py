import re
import string
from pathlib import Path

import pytest

import bongsu_dashboard
from bongsu_dashboard.forms.problems import KINDS
from bongsu_dashboard.notifications.notification import STATUSES
from bongsu_dashboard.pages.catalogue import LANGUAGES, Catalogue, choose_language
from bongsu_dashboard.pages.failures import _SHOWN

PACKAGE = Path(bongsu_dashboard.__file__).parent
SOURCES = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
NAMED = re.compile(r"""\bt\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["'](?! ~)""")
KINDS_NAMED = re.compile(r"""FieldProblem\([^,]+,\s*"([a-z_]+)\"""")
WRONG = re.compile(r"""_Wrong\("([a-z_]+)"\)""")
FLASHES = re.compile(r"""flash="(?:ok|note|bad)\.([a-z_]+)\"""")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


class TestCompleteness:
    def test_both_languages_have_the_same_keys(self, catalogue: Catalogue) -> None:
        korean, english = (catalogue.words(language).all_keys() for language in LANGUAGES)
        assert korean ^ english == frozenset()

    def test_both_languages_use_the_same_facts(self, catalogue: Catalogue) -> None:
        korean, english = (catalogue.words(language) for language in LANGUAGES)
        differing = {
            key
            for key in korean.all_keys()
            if set().union(*map(_facts, korean.forms(key))) != set().union(*map(_facts, english.forms(key)))
        }
        assert differing == set()

    def test_no_text_is_empty(self, catalogue: Catalogue) -> None:
        for language in LANGUAGES:
            words = catalogue.words(language)
            assert [key for key in words.all_keys() if not all(form.strip() for form in words.forms(key))] == []

    @pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
    def test_every_key_that_is_named_is_there(self, source: Path, catalogue: Catalogue) -> None:
        text = source.read_text(encoding="utf-8")
        named = set(NAMED.findall(text))
        named |= {f"form.{kind}" for kind in KINDS_NAMED.findall(text) + WRONG.findall(text)}
        named |= {f"flash.{key}" for key in FLASHES.findall(text)}
        assert named - catalogue.words("ko").all_keys() == set()

    def test_every_fault_status_and_failure_has_words(self, catalogue: Catalogue) -> None:
        wanted = {f"form.{kind}" for kind in KINDS.values()} | {f"status.{status}" for status in STATUSES}
        wanted |= {f"failure.{kind}.{part}" for kind in (*_SHOWN.values(), "internal") for part in ("title", "lead")}
        wanted |= {f"role.{role}" for role in ("user", "staff", "manager", "administrator")}
        assert wanted - catalogue.words("en").all_keys() == set()

    def test_korean_is_written_in_polite_plain_style(self, catalogue: Catalogue) -> None:
        words = catalogue.words("ko")
        assert [
            key for key in words.all_keys() for form in words.forms(key) if re.search(r"(해요|돼요|세요\.|어요)", form)
        ] == []


class TestWords:
    def test_a_count_chooses_its_form(self, catalogue: Catalogue) -> None:
        words = catalogue.words("en")
        assert [words("guilds.found", n=n) for n in (0, 1, 2)] == ["0 servers", "1 server", "2 servers"]

    def test_thousands_are_apart(self, catalogue: Catalogue) -> None:
        assert catalogue.words("ko")("guilds.found", n=12480) == "서버 12,480곳"

    def test_braces_in_a_fact_are_left_alone(self, catalogue: Catalogue) -> None:
        assert catalogue.words("en")("guilds.add_to", name="{0.__class__}") == "{0.__class__}: add the bot"


class TestChooseLanguage:
    @pytest.mark.parametrize(
        ("accept", "language"),
        [
            ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
            ("en-US,en;q=0.9,ko;q=0.8", "en"),
            ("ko;q=0, en;q=0.1", "en"),
            ("de", "ko"),
            (None, "ko"),
        ],
    )
    def test_the_browser_is_heard(self, accept: str | None, language: str) -> None:
        assert choose_language(accept=accept) == language

    def test_a_choice_counts_before_the_browser(self) -> None:
        assert choose_language(None, "xx", "en", accept="ko") == "en"
