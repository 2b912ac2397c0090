"""The words of the pages, in Korean and in English: `translations/<language>.toml`."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Final

from bongsu.runtime.negotiation import preferred_language

LANGUAGES: Final = ("ko", "en")
DEFAULT_LANGUAGE: Final = "ko"

Entry = str | Mapping[str, str]
"""A text, or one for each plural form (`one`, `other`)."""


class Words:
    """The words in one language: `words("guilds.title")`, `words("time.minutes", n=3)`."""

    def __init__(self, language: str, entries: Mapping[str, Entry]) -> None:
        self.language = language
        self._entries = entries

    def __call__(self, key: str, /, **facts: object) -> str:
        """The text of a key, with its facts filled in; `n` chooses the plural form.

        :raises KeyError: there is no such key.
        """
        entry = self._entries[key]
        if not isinstance(entry, str):
            entry = entry["one" if facts.get("n") == 1 else "other"]
        return entry.format(**{name: number(value) if name == "n" else value for name, value in facts.items()})

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def all_keys(self) -> frozenset[str]:
        """Every key."""
        return frozenset(self._entries)

    def forms(self, key: str) -> tuple[str, ...]:
        """Every form of a text, as it is written."""
        entry = self._entries[key]
        return (entry,) if isinstance(entry, str) else tuple(entry.values())


class Catalogue:
    """Every language that there is."""

    def __init__(self) -> None:
        folder = resources.files("bongsu_dashboard").joinpath("translations")
        self._words = {
            language: Words(
                language, _flat(tomllib.loads(folder.joinpath(f"{language}.toml").read_text(encoding="utf-8")))
            )
            for language in LANGUAGES
        }

    def words(self, language: str) -> Words:
        """The words in a language."""
        return self._words[language]


def number(value: object) -> str:
    """A number with its thousands apart; anything else as it is."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def choose_language(*wishes: str | None, accept: str | None) -> str:
    """Return the first wish that is one of our languages, else the language that the browser prefers."""
    chosen = next((wish for wish in wishes if wish in LANGUAGES), None)
    return chosen or preferred_language(accept, LANGUAGES, default=DEFAULT_LANGUAGE)


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, str):
            found[key] = value
        elif isinstance(value, dict) and "other" in value:
            found[key] = {form: str(text) for form, text in value.items()}
        elif isinstance(value, dict):
            found.update(_flat(value, f"{key}."))
    return found
