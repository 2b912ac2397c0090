import re
import string
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

import bongsu_dashboard
from bongsu.contracts.audit import AUDIT_ACTIONS
from bongsu.contracts.rpc import MODULES, GuildChangeKind
from bongsu_dashboard.forms.problems import KINDS
from bongsu_dashboard.keys.schemas import SCOPES
from bongsu_dashboard.notifications.filters import GROUPS
from bongsu_dashboard.notifications.notification import CAUSES, ENDED_BY, STATUSES
from bongsu_dashboard.pages.catalogue import LANGUAGES, Catalogue, catalogue_file, choose_language
from bongsu_dashboard.pages.failures import _KINDS

PACKAGE = Path(bongsu_dashboard.__file__).parent
SOURCES = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
NAMED = re.compile(r"""\bt\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["'](?! ~)""")
KINDS_NAMED = re.compile(r"""FieldProblem\([^,]+,\s*"([a-z_]+)\"""")
DECODE_ERRORS = re.compile(r"""_DecodeError\("([a-z_]+)"\)""")
FLASHES = re.compile(r"""flash="(?:ok|note|bad)\.([a-z_]+)\"""")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@cache
def _messages(language: str) -> dict[str, tuple[str, ...]]:
    """The forms of each text by its ID."""
    with catalogue_file(language).open("rb") as file:
        catalog: Catalog = read_po(file)
    return {_id(message): _forms(message) for message in catalog if message.id}


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def _facts(forms: tuple[str, ...]) -> set[str]:
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


class TestCompleteness:
    def test_languages_have_the_same_ids(self) -> None:
        korean, english = (_messages(language) for language in LANGUAGES)
        assert korean.keys() ^ english.keys() == set()

    def test_languages_use_the_same_facts(self) -> None:
        korean, english = (_messages(language) for language in LANGUAGES)
        assert {key for key in korean if _facts(korean[key]) != _facts(english[key])} == set()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_form_has_text(self, language: str) -> None:
        assert [key for key, forms in _messages(language).items() if not all(form.strip() for form in forms)] == []

    @pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
    def test_source_names_existing_ids(self, source: Path) -> None:
        text = source.read_text(encoding="utf-8")
        named = set(NAMED.findall(text))
        named |= {f"form.{kind}" for kind in KINDS_NAMED.findall(text) + DECODE_ERRORS.findall(text)}
        named |= {f"flash.{key}" for key in FLASHES.findall(text)}
        assert named - _messages("ko").keys() == set()

    def test_problems_statuses_failures_and_roles_have_texts(self) -> None:
        wanted = {f"form.{kind}" for kind in KINDS.values()} | {f"status.{status}" for status in STATUSES}
        wanted |= {f"failure.{kind}.{part}" for kind in (*_KINDS.values(), "internal") for part in ("title", "lead")}
        wanted |= {f"cause.{cause}.{part}" for cause in (*CAUSES, *ENDED_BY, "other") for part in ("title", "lead")}
        wanted |= {f"group.{group}" for group in GROUPS}
        wanted |= {f"guild_activity.change.{kind}" for kind in get_args(GuildChangeKind)}
        wanted |= {f"module.{name}{part}" for name in MODULES for part in ("", ".lead")}
        wanted |= {f"activity.{action}" for action in AUDIT_ACTIONS}
        wanted |= {f"scope.{scope}" for scope in SCOPES}
        wanted |= {f"role.{role}" for role in ("user", "staff", "manager", "administrator")}
        assert wanted - _messages("en").keys() == set()

    def test_korean_uses_one_style(self) -> None:
        """Statements end in -습니다, requests in -해 주세요."""
        informal = re.compile(r"(해요|돼요|어요|아요|예요|에요|십시오)")
        assert [key for key, forms in _messages("ko").items() for form in forms if informal.search(form)] == []


class TestTexts:
    def test_count_selects_plural_form(self, catalogue: Catalogue) -> None:
        t = catalogue.texts("en")
        assert [t("guilds.found", n=n) for n in (0, 1, 2)] == ["0 servers", "1 server", "2 servers"]

    def test_count_is_formatted_as_number(self, catalogue: Catalogue) -> None:
        assert catalogue.texts("ko")("guilds.found", n=12480) == "서버 12,480개"

    def test_braces_in_fact_stay(self, catalogue: Catalogue) -> None:
        assert catalogue.texts("en")("guilds.manage_of", name="{0.__class__}") == "Manage {0.__class__}"

    def test_unknown_id_raises(self, catalogue: Catalogue) -> None:
        with pytest.raises(KeyError):
            catalogue.texts("en")("guilds.nothing")
        assert "guilds.nothing" not in catalogue.texts("en")
        assert "guilds.found" in catalogue.texts("en")


class TestTimes:
    @pytest.mark.parametrize(
        ("seconds", "english", "korean"),
        [
            (3, "just now", "방금"),
            (60, "1 minute ago", "1분 전"),
            (2_700, "45 minutes ago", "45분 전"),
            (7_200, "2 hours ago", "2시간 전"),
            (90_000, "1 day ago", "1일 전"),
            (3 * 86_400, "3 days ago", "3일 전"),
            (30 * 86_400, "October 25, 2026", "2026년 10월 25일"),
            (-30, "in 30 seconds", "30초 후"),
            (-3_600, "in 1 hour", "1시간 후"),
        ],
    )
    def test_ago_is_relative_when_recent(self, catalogue: Catalogue, seconds: int, english: str, korean: str) -> None:
        moment = NOW - timedelta(seconds=seconds)
        assert catalogue.texts("en").ago(moment, now=NOW) == english
        assert catalogue.texts("ko").ago(moment, now=NOW) == korean

    def test_duration_is_in_seconds_or_in_its_largest_unit(self, catalogue: Catalogue) -> None:
        lengths = (0.04, 0.42, 2, 59.9, 61, 7_300)
        english = [catalogue.texts("en").duration(timedelta(seconds=length)) for length in lengths]
        assert english == ["0 sec", "0.4 sec", "2 sec", "59.9 sec", "1 minute", "2 hours"]
        assert catalogue.texts("ko").duration(timedelta(seconds=0.42)) == "0.4초"

    def test_exact_converts_to_utc(self, catalogue: Catalogue) -> None:
        exact = catalogue.texts("en").exact(datetime.fromisoformat("2026-11-24T21:00:00+09:00"))
        assert exact.replace("\u202f", " ") == "Nov 24, 2026, 12:00:00 PM UTC"


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
    def test_browser_preference_counts_when_nothing_is_chosen(self, accept: str | None, language: str) -> None:
        assert choose_language(accept=accept) == language

    def test_choice_counts_before_browser(self) -> None:
        assert choose_language(None, "xx", "en", accept="ko") == "en"
