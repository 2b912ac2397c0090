from collections.abc import Callable
from typing import Any

import discord

class I18N:
    localizations: dict[str, dict[str, Any]]
    initialized: bool
    get_location: Callable[[], tuple[str | None, str | None, str | None]]
    def __init__(
        self,
        localizations: dict[str, dict[str, Any]],
        *,
        fallback_locale: str = ...,
        process_strings: bool = ...,
        prefer_user_locale: bool = ...,
        localize_numbers: bool = ...,
        disable_translations: list[str] | None = ...,
        debug: bool = ...,
    ) -> None: ...

def t(obj: discord.Interaction | discord.ApplicationContext, key: str, count: int | None = ...) -> str: ...
