"""A bot on disnake: registers /beacon and answers it. Arguments: the API's address and the token."""

import asyncio
import sys

import disnake
from disnake.ext import commands
from disnake.http import Route
from disnake.interactions.application_command import ApplicationCommandInteraction


async def main(api: str, token: str) -> None:
    Route.BASE = f"{api}/v10"
    bot = commands.InteractionBot(intents=disnake.Intents(guilds=True))

    @bot.slash_command(description="Light the beacon")
    async def beacon(interaction: ApplicationCommandInteraction[commands.InteractionBot]) -> None:
        await interaction.response.defer(ephemeral=True)
        place = "direct messages" if interaction.guild is None else interaction.guild.name
        await interaction.edit_original_response(f"{interaction.author.name} in {place}")

    running = asyncio.create_task(bot.start(token))
    await asyncio.wait({running, asyncio.create_task(asyncio.to_thread(sys.stdin.read))}, return_when="FIRST_COMPLETED")
    await bot.close()
    await running


asyncio.run(main(*sys.argv[1:]))
