"""What auth is told."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from bongsu.identity.tokens import MAX_LIFETIME_S
from bongsu.runtime.settings import CommaList, Settings
from bongsu_auth.oauth.port import Connection

SANDBOX_DISCORD_CLIENT_ID = "1100000000000000001"
SANDBOX_DISCORD_CLIENT_SECRET = SecretStr("sandbox-discord-secret")
"""Of the application that the sandbox's Discord knows unless it is told another."""

_URL = r"^https?://[^?#@\s]+[^/?#@\s]$"


class AuthSettings(Settings):
    """Settings of auth (`AUTH_…`)."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    access_token_s: int = Field(
        default=MAX_LIFETIME_S, ge=30, le=MAX_LIFETIME_S, description="How long an access token works, seconds"
    )
    refresh_idle_days: float = Field(default=14, gt=0, le=365, description="An unused session ends after these days")
    refresh_absolute_days: float = Field(default=90, gt=0, le=365, description="Every session ends after these days")
    refresh_grace_s: float = Field(
        default=10, ge=0, le=60, description="How long a refresh token works after its successor was used, seconds"
    )
    max_sessions: int = Field(
        default=100, ge=1, le=10_000, description="Open sessions a user; a sign-in beyond ends the one longest unused"
    )
    registration_hours: float = Field(default=24, gt=0, le=168, description="How long a sign-up waits for its link")
    mails_per_hour: int = Field(
        default=10, ge=1, le=1000, description="Sign-up mails to one address within an hour; more are not sent"
    )
    sign_ups_per_hour: int = Field(
        default=300,
        ge=1,
        le=1_000_000,
        description="Sign-ups, and their mails asked for again, from one address within an hour; more get 429",
    )
    new_accounts: Literal["trial", "live"] = Field(
        default="trial", description="Whether a new account sends to itself only until an administrator approves it"
    )
    password_workers: int = Field(default=0, ge=0, le=64, description="Threads that hash passwords; 0: one a core")
    password_queue: int = Field(
        default=128, ge=1, le=10_000, description="Passwords that may wait to be hashed; more are answered with 503"
    )
    login_failures: int = Field(
        default=10, ge=1, le=10_000, description="Wrong passwords for one account from one address before it must wait"
    )
    login_failures_account: int = Field(
        default=100, ge=1, le=100_000, description="The same for one account from anywhere but its known devices"
    )
    login_failures_address: int = Field(
        default=1000, ge=1, le=1_000_000, description="The same from one address for any accounts"
    )
    max_active_keys: int = Field(default=3, ge=1, le=1000, description="Active API keys a user")
    max_allowlist_entries: int = Field(default=10, ge=1, le=1000, description="Allow-list entries an API key")
    key_overlap_hours: float = Field(
        default=24, ge=0, le=720, description="How long the old secret of a rotated key works, hours"
    )

    discord_client_id: str | None = Field(
        default=None, description="Discord: the application's id; without it nobody signs in with Discord"
    )
    discord_client_secret: SecretStr | None = Field(default=None, description="Discord: belongs to the client id")
    discord_base_url: str | None = Field(
        default=None, pattern=_URL, description="In place of https://discord.com, where browsers are sent"
    )
    discord_api_url: str | None = Field(
        default=None, pattern=_URL, description="In place of https://discord.com/api, where auth asks"
    )
    discord_scopes: CommaList = Field(
        default=("identify", "email", "guilds"), description="Discord: what is asked for, comma-separated"
    )
    discord_permissions: int = Field(
        default=84992,
        ge=0,
        lt=2**63,
        description="Discord: what the bot may do in a guild (a bit field): see, write, embed, read the history",
    )
    google_client_id: str | None = Field(
        default=None, description="Google: the OAuth client's id; without it nobody signs in with Google"
    )
    google_client_secret: SecretStr | None = Field(default=None, description="Google: belongs to the client id")
    google_base_url: str | None = Field(
        default=None,
        pattern=_URL,
        description="In place of https://accounts.google.com: where browsers are sent, and the issuer",
    )
    google_api_url: str | None = Field(
        default=None, pattern=_URL, description="In place of Google's APIs (token, keys, people), where auth asks"
    )
    google_scopes: CommaList = Field(
        default=("openid", "email", "profile"), description="Google: what is asked for, comma-separated"
    )
    kakao_client_id: str | None = Field(
        default=None, description="Kakao: the app's REST API key; without it nobody signs in with Kakao"
    )
    kakao_client_secret: SecretStr | None = Field(default=None, description="Kakao: belongs to the client id")
    kakao_base_url: str | None = Field(
        default=None,
        pattern=_URL,
        description="In place of https://kauth.kakao.com: where browsers are sent, and the issuer",
    )
    kakao_api_url: str | None = Field(
        default=None, pattern=_URL, description="In place of kauth.kakao.com and kapi.kakao.com, where auth asks"
    )
    kakao_scopes: CommaList = Field(
        default=("profile_nickname", "profile_image", "account_email"),
        description="Kakao: what is asked for, comma-separated; with `openid` ID tokens are checked as well",
    )

    def connection(self, provider: Literal["discord", "google", "kakao"]) -> Connection | None:
        """How a provider is reached; None where it is not configured."""
        client_id: str | None = getattr(self, f"{provider}_client_id")
        secret: SecretStr | None = getattr(self, f"{provider}_client_secret")
        if client_id is None:
            return None
        return Connection(
            client_id=client_id,
            client_secret=secret.get_secret_value() if secret is not None else "",
            scopes=getattr(self, f"{provider}_scopes"),
            base_url=getattr(self, f"{provider}_base_url"),
            api_url=getattr(self, f"{provider}_api_url"),
        )

    def with_stand_ins(
        self,
        sandbox_url: str | None,
        *,
        public_url: str,
        discord_client_id: str = SANDBOX_DISCORD_CLIENT_ID,
        discord_client_secret: SecretStr = SANDBOX_DISCORD_CLIENT_SECRET,
    ) -> Self:
        """These settings, with the sandbox in the place of Discord where that has no credentials.

        :param sandbox_url: where auth reaches the sandbox; None where there is none.
        :param public_url: where browsers do.
        """
        if sandbox_url is None or self.discord_client_id is not None or self.discord_base_url is not None:
            return self
        return self.model_copy(
            update={
                "discord_client_id": discord_client_id,
                "discord_client_secret": discord_client_secret,
                "discord_base_url": f"{public_url}/sandbox/discord",
                "discord_api_url": f"{sandbox_url}/sandbox/discord/api",
            }
        )

    @property
    def registration_lifetime(self) -> timedelta:
        """How long a sign-up waits for its link."""
        return timedelta(hours=self.registration_hours)

    @property
    def key_overlap(self) -> timedelta:
        """How long the old secret of a rotated key works."""
        return timedelta(hours=self.key_overlap_hours)
