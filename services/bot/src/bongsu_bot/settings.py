"""The bot's settings."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import BaseUrl, ServerUrl, Settings

DISCORD_API_URL = "https://discord.com/api"
SANDBOX_TOKEN = "MTEwMDAwMDAwMDAwMDAwMDAwMQ.sandbox.bot-token"  # noqa: S105 - public, and accepted by the stand-in only


class BotSettings(Settings):
    """Settings of the bot (`BOT_…`)."""

    model_config = SettingsConfigDict(env_prefix="BOT_")

    token: SecretStr | None = Field(default=None, description="The bot's token, from Discord's developer portal")
    api_url: BaseUrl = Field(default=DISCORD_API_URL, description="Discord's API, or a stand-in's")
    auth_url: ServerUrl | None = Field(
        default=None,
        description="Scheme, host and port of auth, where `/internal` answers: commands for colleagues need it",
    )
    notify_url: ServerUrl | None = Field(
        default=None,
        description="Scheme, host and port of notify; without it, notify is reached through the public URL",
    )
    notify_user: str = Field(
        default="notify",
        min_length=1,
        description="The RabbitMQ user of notify, by which the bot admits its requests to send messages",
    )
    api_timeout_s: float = Field(default=8.0, gt=0, le=60, description="How long auth and notify may take, seconds")
    shards: int = Field(default=1, ge=1, le=1024, description="The number of shards, over all processes of the bot")
    sync_commands: bool = Field(
        default=False, description="Register the slash commands at the start; otherwise run `bongsu commands sync` once"
    )
    ready_timeout_s: float = Field(
        default=90.0, gt=0, le=600, description="Time for a login to complete before it is retried, seconds"
    )
    identify_pause_s: float = Field(
        default=5.0, ge=0, le=60, description="Pause between the logins of two shards, seconds; Discord requires 5"
    )
    guilds_timeout_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="Time without another guild that completes a login, seconds",
    )
    retry_max_s: float = Field(
        default=45.0, gt=0, le=3600, description="Longest pause between two attempts to log in, seconds"
    )

    def with_stand_ins(self, sandbox_url: str | None, *, token: SecretStr | None = None) -> "BotSettings":
        """Return the settings with the sandbox in place of Discord, unless a token is configured.

        :param token: the token that the sandbox accepts, if it is not the default one.
        """
        if sandbox_url is None or self.token is not None:
            return self
        stand_ins: dict[str, object] = {
            "token": token or SecretStr(SANDBOX_TOKEN),
            "api_url": f"{sandbox_url}/sandbox/discord/api",
            "sync_commands": True,
        }
        # The stand-in does not limit logins.
        return self.model_copy(update=stand_ins | {"identify_pause_s": 0.0})
