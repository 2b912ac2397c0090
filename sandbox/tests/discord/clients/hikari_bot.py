"""A bot on hikari: registers /beacon and answers it. Arguments: the API's address and the token."""

import asyncio
import sys

import hikari


async def main(api: str, token: str) -> None:
    bot = hikari.GatewayBot(token, intents=hikari.Intents.GUILDS, rest_url=f"{api}/v10", banner=None)

    @bot.listen()
    async def register(_event: hikari.StartedEvent) -> None:
        me = await bot.rest.fetch_my_user()
        application = await bot.rest.fetch_application()
        assert me.is_bot
        await bot.rest.set_application_commands(
            application.id, [bot.rest.slash_command_builder("beacon", "Light the beacon")]
        )

    @bot.listen()
    async def answer(event: hikari.InteractionCreateEvent) -> None:
        interaction = event.interaction
        assert isinstance(interaction, hikari.CommandInteraction)
        await interaction.create_initial_response(
            hikari.ResponseType.DEFERRED_MESSAGE_CREATE, flags=hikari.MessageFlag.EPHEMERAL
        )
        guild = interaction.get_guild()
        assert (guild is None) == (interaction.guild_id is None)
        place = "direct messages" if guild is None else guild.name
        await interaction.edit_initial_response(f"{interaction.user.username} in {place}")

    await bot.start(check_for_updates=False)
    await asyncio.to_thread(sys.stdin.read)
    await bot.close()


asyncio.run(main(*sys.argv[1:]))
