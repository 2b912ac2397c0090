"""What the bot is told."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import CommaList, Settings

DISCORD_API_URL = "https://discord.com/api"
SANDBOX_TOKEN = "sandbox-discord-bot-token"  # noqa: S105 - everyone's, and good for the stand-in only


class BotSettings(Settings):
    """Settings of the bot (`BOT_…`)."""

    model_config = SettingsConfigDict(env_prefix="BOT_")

    token: SecretStr | None = Field(default=None, description="The bot's token, from Discord's developer portal")
    api_url: str = Field(
        default=DISCORD_API_URL, pattern=r"^https?://[^?#\s]+[^/?#\s]$", description="Discord's API, or a stand-in's"
    )
    shards: int = Field(default=1, ge=1, le=1024, description="How many shards the bot has, over all its processes")
    shard_ids: CommaList = Field(
        default=(), description="The shards that this process runs, comma-separated; empty: all of them"
    )
    sync_commands: bool = Field(
        default=False, description="Register the slash commands at the start (else run `bongsu commands sync` once)"
    )
    ready_timeout_s: float = Field(
        default=90.0, gt=0, le=600, description="A login that is not complete by then is tried again"
    )
    identify_pause_s: float = Field(
        default=5.0, ge=0, le=60, description="Between two shards' logins; Discord asks for 5 s"
    )
    guilds_timeout_s: float = Field(
        default=2.0, gt=0, le=60, description="No further guild for so long means that all of them have come"
    )
    retry_max_s: float = Field(default=60.0, gt=0, le=3600, description="Longest pause between two attempts to log in")

    @model_validator(mode="after")
    def _shards_exist(self) -> Self:
        wrong = [shard for shard in self.shard_ids if not shard.isdigit() or int(shard) >= self.shards]
        if wrong:
            raise ValueError(f"BOT_SHARD_IDS: {', '.join(wrong)} is not one of 0 to {self.shards - 1}")
        return self

    @property
    def own_shards(self) -> tuple[int, ...]:
        """The shards of this process."""
        return tuple(sorted({int(shard) for shard in self.shard_ids})) or tuple(range(self.shards))

    def with_stand_ins(self, sandbox_url: str | None, *, token: SecretStr | None = None) -> "BotSettings":
        """The settings with the sandbox in place of a Discord that is not configured.

        :param token: the one that the sandbox takes, where it is not the usual one.
        """
        if sandbox_url is None or self.token is not None:
            return self
        stand_ins: dict[str, object] = {
            "token": token or SecretStr(SANDBOX_TOKEN),
            "api_url": f"{sandbox_url}/sandbox/discord/api",
            "sync_commands": True,
        }
        # One session at the stand-in costs nothing, so there is nothing to wait for between two.
        return self.model_copy(update=stand_ins | {"identify_pause_s": 0.0})
