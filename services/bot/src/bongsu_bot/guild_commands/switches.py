"""Refuses the commands that are off in a guild."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import discord
from sqlalchemy.exc import SQLAlchemyError

from bongsu.mixins import Database, MixinError
from bongsu.runtime.logging import get_logger
from bongsu_bot.guild_commands import service

log = get_logger(__name__)
READ_S: Final = 0.5
"""How long a command waits for the settings: Discord takes its first answer for three seconds only."""
KEPT: Final = 64
Check = Callable[[discord.ApplicationContext], Awaitable[bool]]


class CommandOff(discord.CheckFailure):
    """The command is off in this guild."""


class CommandSwitches:
    """Reads the settings of a guild for each interaction, so that a change has effect in every process.

    While the database does not answer, every command runs: those that change data need the database or an API anyway.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[int, frozenset[str]] = {}

    async def require_on(self, command: str, interaction: discord.Interaction) -> None:
        """Check that a command, named with its group, is on where the interaction comes from.

        :raises CommandOff: it is off there.
        """
        if interaction.guild_id is None:
            return
        # `/help` checks each command for one interaction.
        if interaction.id not in self._read:
            while len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            self._read[interaction.id] = await self._find_off(interaction.guild_id)
        if service.is_off(command, self._read[interaction.id]):
            raise CommandOff

    async def _find_off(self, guild_id: int) -> frozenset[str]:
        try:
            async with asyncio.timeout(READ_S):
                return await self._database.run(service.find_off, guild_id)
        except (SQLAlchemyError, MixinError, OSError) as error:  # OSError: the time-out too
            log.warning("command.switches_not_read", guild_id=guild_id, error=type(error).__name__)
            return frozenset()
