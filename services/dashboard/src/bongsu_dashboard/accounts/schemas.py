"""The forms about one's own account."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from bongsu_dashboard.accounts.user import Locale


class LinkForm(BaseModel):
    """Linking an account at a provider; the password where it is asked for once more."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    next: str = "/guilds"
    password: SecretStr = SecretStr("")


class ProfileForm(BaseModel):
    """What one may change of oneself. An empty name takes the name away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    locale: Locale = Field(default="ko")
