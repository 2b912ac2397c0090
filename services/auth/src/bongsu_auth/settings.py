"""What auth is told."""

from datetime import timedelta
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from bongsu.identity.tokens import MAX_LIFETIME_S
from bongsu.runtime.settings import Settings


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
    registration_hours: float = Field(default=24, gt=0, le=168, description="How long a sign-up waits for its link")
    mails_per_hour: int = Field(
        default=10, ge=1, le=1000, description="Sign-up mails to one address within an hour; more are not sent"
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

    @property
    def registration_lifetime(self) -> timedelta:
        """How long a sign-up waits for its link."""
        return timedelta(hours=self.registration_hours)

    @property
    def key_overlap(self) -> timedelta:
        """How long the old secret of a rotated key works."""
        return timedelta(hours=self.key_overlap_hours)
