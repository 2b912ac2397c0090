"""Texts, numbers and times in the languages of the pages.

The texts are gettext catalogues with IDs such as `guilds.title`: `translations/<language>/LC_MESSAGES/messages.po`.
"""

from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from babel.units import format_unit

from bongsu.runtime.negotiation import preferred_language

LANGUAGES: Final = ("ko", "en")
DEFAULT_LANGUAGE: Final = "ko"
_MINUTE_S: Final = 60
_NOW: Final = timedelta(seconds=45)
_RECENT: Final = timedelta(days=7)


class Texts:
    """The texts and formats of one language: `t("guilds.title")`, `t("guilds.found", n=3)`."""

    def __init__(self, language: str, catalogue: BytesIO) -> None:
        self.language = language
        self._locale = Locale.parse(language)
        self._translations = Translations(catalogue)

    def __call__(self, key: str, /, **facts: object) -> str:
        """Return a text with its facts filled in. `n` selects the plural form and is formatted as a number.

        :raises KeyError: the catalogue has no such key.
        """
        text = self._translations.gettext(key)
        if text == key:
            raise KeyError(key)
        if isinstance(n := facts.get("n"), int):
            text = self._translations.ngettext(key, text, n) if n != 1 else text
            facts["n"] = self.number(n)
        return text.format(**facts)

    def __contains__(self, key: str) -> bool:
        return self._translations.gettext(key) != key

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self._locale)

    def date(self, moment: datetime) -> str:
        return format_date(moment, "long", locale=self._locale)

    def ago(self, moment: datetime, *, now: datetime | None = None) -> str:
        """Format a time relative to now, or as a date once it is more than a week old."""
        elapsed = (now or datetime.now(UTC)) - moment
        if timedelta() <= elapsed < _NOW:
            return self("time.now")
        if elapsed > _RECENT:
            return self.date(moment)
        return format_timedelta(-elapsed, add_direction=True, locale=self._locale)

    def duration(self, length: timedelta) -> str:
        """Format a length of time: to a tenth of a second below a minute, else in its largest unit."""
        seconds = round(max(0.0, length.total_seconds()), 1)
        if seconds < _MINUTE_S:
            return format_unit(seconds, "duration-second", "short", locale=self._locale)
        return format_timedelta(length, threshold=1, locale=self._locale)

    def exact(self, moment: datetime) -> str:
        """Format a time to the second in UTC, which a script replaces by the reader's zone."""
        return format_datetime(moment.astimezone(UTC), "medium", locale=self._locale) + " UTC"


class Catalogue:
    """The texts of every language, read once a process."""

    def __init__(self) -> None:
        self._texts = {language: Texts(language, _compile(catalogue_file(language))) for language in LANGUAGES}

    def texts(self, language: str) -> Texts:
        return self._texts[language]


def catalogue_file(language: str) -> Traversable:
    return resources.files("bongsu_dashboard").joinpath("translations", language, "LC_MESSAGES", "messages.po")


def choose_language(*choices: str | None, accept: str | None) -> str:
    """Return the first choice that is offered, else the browser's preference, else Korean."""
    chosen = next((choice for choice in choices if choice in LANGUAGES), None)
    return chosen or preferred_language(accept, LANGUAGES, default=DEFAULT_LANGUAGE)


def _compile(file: Traversable) -> BytesIO:
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return compiled
