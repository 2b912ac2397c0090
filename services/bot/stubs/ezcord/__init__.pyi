# The part of ezcord 0.8.0 that the bot uses; ezcord ships no type hints.
from collections.abc import Callable
from typing import Any

import discord
from discord.ext import commands
from ezcord import emb as emb
from ezcord.i18n import I18N as I18N
from ezcord.i18n import t as t

class AutoShardedBot(discord.AutoShardedBot):
    def __init__(
        self,
        intents: discord.Intents = ...,
        *,
        debug: bool = ...,
        error_handler: bool = ...,
        language: str = ...,
        default_language: str = ...,
        ready_event: None = ...,
        **kwargs: object,
    ) -> None: ...
    def add_help_command(
        self,
        *,
        timeout: int | None = ...,
        ephemeral: bool = ...,
        title_format: str = ...,
        permission_check: bool = False,
        **kwargs: Callable[[], str] | str,
    ) -> None: ...
    def localize_commands(self, languages: dict[str, dict[str, Any]], default: str = ..., cogs: bool = ...) -> None: ...
    async def start(self, token: str | None = ..., *, env_path: str | None = ..., **kwargs: object) -> None: ...

class Cog(commands.Cog):
    bot: AutoShardedBot
    def __init_subclass__(cls, *, emoji: str | None = ..., group: str | None = ..., hidden: bool = ...) -> None: ...
    def __init__(self, bot: AutoShardedBot) -> None: ...

class EzContext(discord.ApplicationContext): ...
