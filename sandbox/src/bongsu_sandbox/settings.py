"""The settings of the sandbox."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.errors import StartError
from bongsu.runtime.networks import parse_address
from bongsu.runtime.settings import CommaList, Settings

MEBIBYTE = 1024 * 1024


KAKAO_CONSENT_ITEMS = (
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
)
"""Of a business app; an app without business registration may request the first two and `talk_message` alone."""


class SandboxSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    data_dir: Path = Field(default=Path("var/sandbox"), description="Folder of the mailbox and the ledger")
    allow_remote: bool = Field(
        default=False, description="Also answer clients that are not on this machine (behind a local gateway)"
    )
    mailbox_max_mails: int = Field(default=5000, ge=1, description="The mailbox keeps at least this many newest mails")
    mailbox_max_bytes: int = Field(
        default=64 * MEBIBYTE, ge=MEBIBYTE, description="… unless they are together larger than this"
    )
    ses_max_send_rate: float = Field(default=10_000, gt=0, description="SES: recipients a second that are accepted")
    ses_max_24_hour_send: float = Field(default=10_000_000, ge=-1, description="SES: recipients a day; -1: no limit")
    ses_verified_identities: CommaList = Field(
        default=(), description="SES: domains and addresses that may send, comma-separated; empty: all"
    )
    ses_feedback_url: str | None = Field(
        default=None, description="SES: where its events are posted; by default to notify at BONGSU_PUBLIC_URL"
    )
    ses_send_events: bool = Field(default=True, description="SES: each accepted mail publishes its Send event")
    discord_application_id: int = Field(
        default=1100000000000000001, description="Discord: the application's id, which is its OAuth client's too"
    )
    discord_client_secret: SecretStr = Field(
        default=SecretStr("sandbox-discord-secret"), description="Discord: the OAuth client's secret"
    )
    discord_bot_token: SecretStr = Field(
        default=SecretStr("MTEwMDAwMDAwMDAwMDAwMDAwMQ.sandbox.bot-token"),
        description="Discord: the token that the bot logs in with, in the form of Discord's: some libraries read it",
    )
    discord_redirect_uris: CommaList = Field(
        default=(), description="Discord: where a sign-in may lead, comma-separated; empty: anywhere on this machine"
    )
    discord_answer_s: float = Field(
        default=3.0, ge=0, description="Discord: seconds in which the bot must answer a command"
    )
    discord_session_starts: int = Field(default=1000, ge=1, description="Discord: logins of the bot a day")
    google_client_id: str = Field(
        default="sandbox.apps.googleusercontent.com", description="Google: the OAuth client's id"
    )
    google_client_secret: SecretStr = Field(
        default=SecretStr("sandbox-google-secret"), description="Google: the OAuth client's secret"
    )
    google_redirect_uris: CommaList = Field(
        default=(), description="Google: where a sign-in may lead, comma-separated; empty: anywhere on this machine"
    )
    kakao_client_id: str = Field(default="sandbox-kakao-rest-api-key", description="Kakao: the app's REST API key")
    kakao_client_secret: SecretStr = Field(
        default=SecretStr("sandbox-kakao-secret"), description="Kakao: the client secret"
    )
    kakao_redirect_uris: CommaList = Field(
        default=(), description="Kakao: where a sign-in may lead, comma-separated; empty: anywhere on this machine"
    )
    kakao_consent_items: CommaList = Field(
        default=KAKAO_CONSENT_ITEMS,
        description="Kakao: the consent items that are set up; asking for another is KOE205",
    )


def require_local(public_url: str) -> None:
    """Refuse to run at a public URL that is not local.

    :raises StartError: the public URL's host is not this machine.
    """
    if not is_local_url(public_url):
        raise StartError(
            f"The sandbox runs only where BONGSU_PUBLIC_URL is local, and {public_url} is not; "
            "leave the sandbox out or use http://localhost"
        )


def is_local_url(url: str) -> bool:
    """Whether a URL's host means this machine."""
    return is_local_host(urlsplit(url).hostname or "")


def is_local_host(host: str) -> bool:
    """Whether a host's name or address means this machine."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)


def is_loopback(address: str) -> bool:
    """Whether a textual IP address is a loopback one (also IPv4 mapped into IPv6)."""
    try:
        return parse_address(address).is_loopback
    except ValueError:
        return False
