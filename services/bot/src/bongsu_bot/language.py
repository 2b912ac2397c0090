"""The bot's texts, in Korean and English: loads the `language.toml` of each feature into ezcord.

ezcord keeps its languages in class attributes and in the module `ezcord.internal.translation`: one set a process.
`docs/decisions` says which parts of its localisation stay off, and why.
"""

import importlib.resources
import inspect
import pkgutil
import tomllib
from copy import deepcopy
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final

import discord
from ezcord import I18N, emb, t
from ezcord.internal import translation

import bongsu_bot
from bongsu.runtime.errors import ServiceError

LANGUAGES: Final = ("en", "ko")
_PATCHES: Final = [
    "send",
    "edit",
    "reply",
    "send_message",
    "send_modal",
    "edit_message",
    "edit_original_response",
    "webhook_send",
    "webhook_edit_message",
]
"""All methods of discord that I18N would replace in the whole process."""

Texts = dict[str, dict[str, Any]]


def text(source: discord.Interaction | discord.ApplicationContext, key: str, **values: object) -> str:
    """Return a reply in the user's language: Korean, or English for any other.

    :param key: with its section, such as `ping.online`: ezcord would look a bare key up by the caller's file name.
    :param values: inserted after the translation, because ezcord expands braces in values as keys.
    """
    return t(source, key).format(**values)


def text_in(language: str, key: str, /, **values: object) -> str:
    """Return a text in one of `LANGUAGES`, for a message that answers no user; parameters as in `text`."""
    section, _, name = key.partition(".")
    found: str = load()[language][section][name]
    return found.format(**values)


def problem(source: discord.Interaction, error: ServiceError) -> str:
    """Return an error in the user's language, or its own detail where its code has no text."""
    return text(source, f"problems.{error.code}") if error.code in load()["en"]["problems"] else error.detail


def install() -> None:
    """Give the texts to ezcord. Call it before a bot is made; a second call changes nothing."""
    # ezcord searches the working directory for a file of texts (0.8.0, internal/language/languages.py). Remove when
    # it can be given the texts.
    translation.load_lang = _own_texts
    # For each of its own texts it reads the source files of the whole stack, and uses the names of the files only: the
    # first text takes half a second (0.8.0, internal/language/languages.py). Remove when it no longer does.
    translation.inspect = SimpleNamespace(stack=partial(inspect.stack, 0))
    I18N(
        _sections(replies=True),
        fallback_locale="en",
        process_strings=False,
        prefer_user_locale=True,
        localize_numbers=False,
        disable_translations=_PATCHES,
        debug=False,
    )
    # For each text it would walk the stack and read the source files on it, to look a bare key up by its place
    # (0.8.0, i18n.py): ours have their sections.
    I18N.get_location = staticmethod(_no_location)
    # With it, ezcord's embeds would pass `locale` to the methods that are not replaced (0.8.0, emb.py).
    I18N.initialized = False
    emb.set_embed_templates(error_embed=discord.Embed(colour=discord.Colour(0xC0392B)))


def command_texts() -> Texts:
    """Return the texts of commands and cogs, for `localize_commands`."""
    return _sections(replies=False)


def features() -> list[str]:
    """Return the names of the packages in `bongsu_bot`, one a feature."""
    return [module.name for module in pkgutil.iter_modules(bongsu_bot.__path__) if module.ispkg]


@cache
def load() -> Texts:
    """Read every `language.toml`, merged by language and section.

    :raises ValueError: two files have the same section entry.
    """
    root = importlib.resources.files(bongsu_bot)
    merged: Texts = {language: {} for language in LANGUAGES}
    for path in (root / "language.toml", *(root / feature / "language.toml" for feature in features())):
        if not path.is_file():
            continue
        for language, sections in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for section, entries in sections.items():
                known = merged[language].setdefault(section, {})
                if duplicates := known.keys() & entries.keys():
                    raise ValueError(f"{path}: {language}.{section} has {', '.join(duplicates)} already")
                known.update(entries)
    return merged


def _sections(*, replies: bool) -> Texts:
    """Return a copy, which ezcord may change, of the replies or of the texts of commands and cogs."""
    if replies:
        return {
            language: {
                name: deepcopy(found) for name, found in sections.items() if name not in {"commands", "cogs", "ezcord"}
            }
            for language, sections in load().items()
        }
    return {
        language: deepcopy({**sections["commands"], "cogs": sections["cogs"]}) for language, sections in load().items()
    }


def _no_location() -> tuple[None, None, None]:
    """Return no file, method and class, in the place of ezcord's `get_location`."""
    return None, None, None


def _own_texts(language: str) -> dict[str, dict[str, str]]:
    """Return the texts of ezcord's own parts, as its `load_lang` does."""
    texts: dict[str, dict[str, str]] = load()[language if language in LANGUAGES else "en"]["ezcord"]
    return texts
