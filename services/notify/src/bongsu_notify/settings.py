"""Notify's settings."""

from email.utils import parseaddr

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import CommaList, ServerUrl, Settings

STAND_IN_CREDENTIAL = "sandbox"
STAND_IN_TOPIC = "arn:aws:sns:ap-northeast-2:000000000000:bongsu"


class NotifySettings(Settings):
    """Settings of the API and of the worker (`NOTIFY_…`)."""

    model_config = SettingsConfigDict(env_prefix="NOTIFY_")

    sender: str = Field(
        default="Bongsu <no-reply@bongsu.test>",
        validation_alias="NOTIFY_FROM",
        description="The sender of every mail that names no other: `Name <address>` or an address",
    )
    ses_region: str = Field(default="ap-northeast-2", description="The SES region")
    ses_endpoint_url: str | None = Field(
        default=None, description="The endpoint to use in place of AWS, such as the sandbox"
    )
    ses_access_key_id: str | None = Field(
        default=None, description="The SES access key id; without it boto3 uses its own credential chain"
    )
    ses_secret_access_key: SecretStr | None = Field(default=None, description="The secret of the access key")
    ses_configuration_set: str | None = Field(
        default=None, description="The configuration set that publishes events to notify"
    )
    ses_topics: CommaList = Field(
        default=(), description="The SNS topics whose SES events notify accepts, as comma-separated ARNs"
    )
    ses_bulk: bool = Field(
        default=True, description="Send waiting mails that are alike together, by SendBulkEmail: `off` sends one by one"
    )
    ses_rate_factor: float = Field(
        default=0.95, gt=0, le=1, description="How much of SES's sending rate all workers together use"
    )
    auth_url: ServerUrl | None = Field(
        default=None,
        description="Scheme, host and port of auth, where `/internal` answers: KakaoTalk messages need it",
    )
    sandbox: bool = Field(default=False, description="The sandbox sends, so no account is on trial")
    lease_s: float = Field(default=60.0, ge=1, le=600, description="How long a worker holds a delivery, in seconds")
    max_attempts: int = Field(default=8, ge=1, le=50, description="Sends tried before a notification fails")
    batch: int = Field(default=50, ge=1, le=500, description="Deliveries claimed, or recorded, in one transaction")
    concurrency: int = Field(
        default=128,
        ge=1,
        le=500,
        description="Concurrent deliveries per provider and worker; a quarter is kept for high priority",
    )
    send_timeout_s: float = Field(
        default=10.0, gt=0, le=60, description="How long a provider may take to answer, in seconds"
    )

    @property
    def stand_in_sns_url(self) -> str | None:
        """Where the sandbox's SNS is, if the sandbox sends."""
        return f"{(self.ses_endpoint_url or '').removesuffix('ses')}sns/" if self.sandbox else None

    def with_stand_ins(self, sandbox_url: str | None) -> "NotifySettings":
        """Return these settings with the sandbox in place of a provider that has no credentials."""
        if sandbox_url is None or self.ses_access_key_id is not None or self.ses_endpoint_url is not None:
            return self
        return self.model_copy(
            update={
                "ses_endpoint_url": f"{sandbox_url}/sandbox/ses",
                "ses_access_key_id": STAND_IN_CREDENTIAL,
                "ses_secret_access_key": SecretStr(STAND_IN_CREDENTIAL),
                "ses_configuration_set": STAND_IN_CREDENTIAL,
                "ses_topics": (STAND_IN_TOPIC,),
                "sandbox": True,
            }
        )

    @field_validator("sender")
    @classmethod
    def _has_an_address(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1]:
            raise ValueError("must be an address or `Name <address>`")
        return value
