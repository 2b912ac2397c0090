"""What notify is told."""

from email.utils import parseaddr

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from bongsu.runtime.settings import Settings

STAND_IN_CREDENTIAL = "sandbox"


class NotifySettings(Settings):
    """Settings of the API and of the worker (`NOTIFY_…`)."""

    model_config = SettingsConfigDict(env_prefix="NOTIFY_")

    sender: str = Field(
        default="Bongsu <no-reply@bongsu.test>",
        validation_alias="NOTIFY_FROM",
        description="The sender of every mail that names no other: `Name <address>` or an address",
    )
    ses_region: str = Field(default="ap-northeast-2", description="The SES region")
    ses_endpoint_url: str | None = Field(default=None, description="In place of AWS: a stand-in's address")
    ses_access_key_id: str | None = Field(default=None, description="Else boto3 looks where it always does")
    ses_secret_access_key: SecretStr | None = Field(default=None, description="Belongs to the access key id")
    ses_configuration_set: str | None = Field(default=None, description="The set whose events come back to us")
    sandbox: bool = Field(default=False, description="A stand-in does the sending, so no account is on trial")
    lease_s: float = Field(default=60.0, ge=1, le=600, description="How long a worker may hold a delivery, seconds")
    max_attempts: int = Field(default=8, ge=1, le=50, description="Sends tried before a notification fails")
    batch: int = Field(default=32, ge=1, le=500, description="Deliveries claimed in one transaction")
    concurrency: int = Field(
        default=16, ge=1, le=500, description="Calls to a provider at once, a worker; a quarter for high priority only"
    )
    send_timeout_s: float = Field(default=10.0, gt=0, le=60, description="How long a provider may take to answer")

    def with_stand_ins(self, sandbox_url: str | None) -> "NotifySettings":
        """These settings, with the sandbox in the place of a provider that has no credentials."""
        if sandbox_url is None or self.ses_access_key_id is not None or self.ses_endpoint_url is not None:
            return self
        return self.model_copy(
            update={
                "ses_endpoint_url": f"{sandbox_url}/sandbox/ses",
                "ses_access_key_id": STAND_IN_CREDENTIAL,
                "ses_secret_access_key": SecretStr(STAND_IN_CREDENTIAL),
                "sandbox": True,
            }
        )

    @field_validator("sender")
    @classmethod
    def _has_an_address(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1]:
            raise ValueError("must be an address or `Name <address>`")
        return value
