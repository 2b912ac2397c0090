import discord

def set_embed_templates(
    *,
    error_embed: discord.Embed | str | None = ...,
    success_embed: discord.Embed | str | None = ...,
    warn_embed: discord.Embed | str | None = ...,
    info_embed: discord.Embed | str | None = ...,
) -> None: ...
async def error(target: discord.Interaction | discord.ApplicationContext, txt: str | None = ...) -> None: ...
async def info(target: discord.Interaction | discord.ApplicationContext, txt: str | None = ...) -> None: ...
