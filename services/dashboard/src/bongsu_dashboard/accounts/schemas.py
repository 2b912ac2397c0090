"""The forms that change an account."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from bongsu_dashboard.accounts.user import Locale


class LinkForm(BaseModel):
    """A request to link a provider's account, with the password where auth requires it again."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    next: str = "/guilds"
    password: SecretStr = SecretStr("")


class ProfileForm(BaseModel):
    """The profile. An empty name removes the name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    locale: Locale = Field(default="ko")


class EndSessionForm(BaseModel):
    """No fields besides the CSRF token."""

    model_config = ConfigDict(extra="forbid", frozen=True)
