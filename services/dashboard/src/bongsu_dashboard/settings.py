"""The settings of the dashboard."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import CommaList, Settings


class DashboardSettings(Settings):
    """`DASHBOARD_…`"""

    model_config = SettingsConfigDict(env_prefix="DASHBOARD_")

    auth_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="Scheme, host and port of auth; without it, auth is reached through the public URL",
    )
    notify_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="Scheme, host and port of notify; without it, notify is reached through the public URL",
    )
    timeout_s: float = Field(default=5.0, gt=0, le=30, description="How long auth and notify may take, seconds")
    bot_timeout_s: float = Field(default=1.5, gt=0, le=10, description="How long the bot may take to answer, seconds")
    leave_timeout_s: float = Field(
        default=8.0, gt=0, le=30, description="How long the bot may take to leave a server, seconds"
    )
    install_wait_s: int = Field(
        default=90, ge=5, le=900, description="How long a page waits for the bot to appear on a server, seconds"
    )
    link_urls: CommaList = Field(
        default=("https://accounts.google.com", "https://kauth.kakao.com", "https://accounts.kakao.com"),
        description="Where linking an account leads, comma-separated; forms may redirect there",
    )
    discord_url: str = Field(
        default="https://discord.com",
        pattern=r"^https?://[^?#@;,'\s]+[^/?#@;,'\s]$",
        description="Discord for browsers: where adding the bot and links to channels lead",
    )
    discord_cdn_url: str = Field(
        default="https://cdn.discordapp.com",
        pattern=r"^https?://[^/?#@;,'\s]+$",
        description="Where the servers' icons are",
    )
