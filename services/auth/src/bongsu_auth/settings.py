"""The settings of auth."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from bongsu.identity.tokens import MAX_LIFETIME_S
from bongsu.runtime.settings import BaseUrl, CommaList, ServerUrl, Settings
from bongsu_auth.oauth.port import Connection

SANDBOX_CLIENTS: Mapping[str, tuple[str, SecretStr]] = {
    "discord": ("1100000000000000001", SecretStr("sandbox-discord-secret")),
    "google": ("sandbox.apps.googleusercontent.com", SecretStr("sandbox-google-secret")),
    "kakao": ("sandbox-kakao-rest-api-key", SecretStr("sandbox-kakao-secret")),
}
"""The client ID and secret of the sandbox's default application at each provider."""
SANDBOX_SCOPES: Mapping[str, tuple[str, ...]] = {
    "google": (
        "openid",
        "email",
        "profile",
        *(f"https://www.googleapis.com/auth/user.{name}.read" for name in ("phonenumbers", "birthday", "gender")),
    ),
    "kakao": (
        "openid",
        "profile_nickname",
        "profile_image",
        "account_email",
        "name",
        "gender",
        "age_range",
        "birthday",
        "birthyear",
        "phone_number",
        "talk_message",
    ),
}
"""The whole profile, for which the real providers want a review first, and messages to the user's KakaoTalk."""


class AuthSettings(Settings):
    """`AUTH_…`."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    notify_url: ServerUrl | None = Field(
        default=None,
        description="Scheme, host and port of notify; without it, notify is reached through the public URL",
    )
    signing_key_days: float = Field(
        default=90, ge=0.1, le=3650, description="Days after which the next key signs tokens"
    )
    access_token_s: int = Field(
        default=MAX_LIFETIME_S, ge=30, le=MAX_LIFETIME_S, description="Lifetime of an access token, seconds"
    )
    refresh_idle_days: float = Field(default=14, gt=0, le=365, description="Days after which an unused session ends")
    refresh_absolute_days: float = Field(default=90, gt=0, le=365, description="Days after which every session ends")
    refresh_grace_s: float = Field(
        default=10, ge=0, le=60, description="How long a refresh token gives the same successor again, seconds"
    )
    max_sessions: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Open sessions per user; a further sign-in ends the one unused for longest",
    )
    registration_hours: float = Field(
        default=24, gt=0, le=168, description="Lifetime of the link in a sign-up mail, hours"
    )
    mails_per_hour: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Sign-up mails to one address per hour, half of them from one network; more are not sent",
    )
    sign_ups_per_hour: int = Field(
        default=300,
        ge=1,
        le=1_000_000,
        description="Sign-ups, requests for another mail and unknown links from one address per hour; more get 429",
    )
    new_accounts: Literal["trial", "live"] = Field(
        default="trial", description="`trial`: a new account sends to itself only until an administrator approves it"
    )
    password_workers: int = Field(default=0, ge=0, le=64, description="Threads that hash passwords; 0: one per core")
    password_queue: int = Field(
        default=128, ge=1, le=10_000, description="Passwords that may wait to be hashed; more get 503"
    )
    login_failures: int = Field(
        default=10, ge=1, le=10_000, description="Wrong passwords for one account from one address before it must wait"
    )
    login_failures_account: int = Field(
        default=100, ge=1, le=100_000, description="The same for one account from any address, except its known devices"
    )
    login_failures_address: int = Field(
        default=1000, ge=1, le=1_000_000, description="The same from one address for all accounts"
    )
    login_wait_s: float = Field(
        default=1,
        ge=0.1,
        le=900,
        description="Wait after the last free wrong password, seconds; each further one doubles it, up to 900",
    )
    max_active_keys: int = Field(default=3, ge=1, le=1000, description="Active API keys per user")
    max_allowlist_entries: int = Field(default=10, ge=1, le=1000, description="Allow-list entries per API key")
    key_overlap_hours: float = Field(
        default=24, ge=0, le=720, description="How long the old secret of a rotated key works, hours"
    )

    authorizations_per_hour: int = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="Sign-ins at providers that start in one network per hour; more get 429",
    )
    redirect_uris: CommaList = Field(
        default=(),
        description="Redirect URIs of API clients, comma-separated, compared exactly; `http://127.0.0.1/callback` "
        "stands for every port",
    )
    provider_timeout_s: float = Field(
        default=8, gt=0, le=60, description="How long one request to a sign-in provider may take, seconds"
    )
    discord_client_id: str | None = Field(
        default=None, description="Discord: the application's ID; unset: no sign-in with Discord"
    )
    discord_client_secret: SecretStr | None = Field(default=None, description="Discord: the client secret")
    discord_base_url: BaseUrl | None = Field(default=None, description="Replaces https://discord.com for browsers")
    discord_api_url: BaseUrl | None = Field(
        default=None, description="Replaces https://discord.com/api for requests of auth"
    )
    discord_scopes: CommaList = Field(
        default=("identify", "email", "guilds"), description="Discord: requested scopes, comma-separated"
    )
    discord_permissions: int = Field(
        default=84992,
        ge=0,
        lt=2**63,
        description="Discord: the bot's permissions in a guild (bit field): view, send, embed, read history",
    )
    google_client_id: str | None = Field(
        default=None, description="Google: the OAuth client's ID; unset: no sign-in with Google"
    )
    google_client_secret: SecretStr | None = Field(default=None, description="Google: the client secret")
    google_base_url: BaseUrl | None = Field(
        default=None,
        description="Replaces https://accounts.google.com, the issuer, whose discovery document names the endpoints",
    )
    google_api_url: BaseUrl | None = Field(
        default=None,
        description="Replaces the issuer's and the People API's address for requests of auth",
    )
    google_scopes: CommaList = Field(
        default=("openid", "email", "profile"), description="Google: requested scopes, comma-separated"
    )
    kakao_client_id: str | None = Field(
        default=None, description="Kakao: the app's REST API key; unset: no sign-in with Kakao"
    )
    kakao_client_secret: SecretStr | None = Field(default=None, description="Kakao: the client secret")
    kakao_base_url: BaseUrl | None = Field(
        default=None,
        description="Replaces https://kauth.kakao.com for browsers, and as the issuer",
    )
    kakao_api_url: BaseUrl | None = Field(
        default=None, description="Replaces kauth.kakao.com and kapi.kakao.com for requests of auth"
    )
    kakao_scopes: CommaList = Field(
        default=("profile_nickname", "profile_image", "account_email"),
        description="Kakao: requested scopes, comma-separated; with `openid`, ID tokens are verified as well",
    )

    @field_validator("redirect_uris")
    @classmethod
    def _are_safe(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for uri in value:
            parts = urlsplit(uri)
            is_loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
            if parts.scheme in ("", "javascript", "data", "file", "vbscript", "blob") or parts.fragment or "*" in uri:
                raise ValueError(f"{uri} must be an absolute URI without a fragment or a wildcard")
            if parts.scheme == "http" and not is_loopback:
                raise ValueError(f"{uri} must use https: http is for this machine only")
        return value

    def connection(self, provider: str) -> Connection | None:
        """Return the connection to a provider; None if it is not configured."""
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
            timeout_s=self.provider_timeout_s,
        )

    def with_stand_ins(
        self,
        sandbox_url: str | None,
        *,
        public_url: str,
        clients: Mapping[str, tuple[str, SecretStr]] = SANDBOX_CLIENTS,
    ) -> Self:
        """Return these settings with the sandbox in place of each provider that has no credentials.

        :param sandbox_url: the sandbox's URL for auth; None without a sandbox.
        :param public_url: the sandbox's origin for browsers.
        :param clients: the ID and secret of the sandbox's application at each provider.
        """
        if sandbox_url is None:
            return self
        changes: dict[str, object] = {}
        for provider, (client_id, secret) in clients.items():
            if getattr(self, f"{provider}_client_id") is None and getattr(self, f"{provider}_base_url") is None:
                path = f"/sandbox/{provider}"
                changes |= {
                    f"{provider}_client_id": client_id,
                    f"{provider}_client_secret": secret,
                    f"{provider}_base_url": f"{public_url}{path}",
                    f"{provider}_api_url": f"{sandbox_url}{path}" + ("/api" if provider == "discord" else ""),
                }
                if provider in SANDBOX_SCOPES and f"{provider}_scopes" not in self.model_fields_set:
                    changes[f"{provider}_scopes"] = SANDBOX_SCOPES[provider]
        return self.model_copy(update=changes)

    @property
    def registration_lifetime(self) -> timedelta:
        """Lifetime of the link in a sign-up mail."""
        return timedelta(hours=self.registration_hours)

    @property
    def key_overlap(self) -> timedelta:
        """How long the old secret of a rotated key works."""
        return timedelta(hours=self.key_overlap_hours)
