"""The forms of signing up, in and out."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from bongsu.identity.emails import normalise_email
from bongsu_dashboard.forms import Form

MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 256

Email = Annotated[str, StringConstraints(max_length=320, min_length=1), AfterValidator(normalise_email)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


def _check_length(value: SecretStr) -> SecretStr:
    length = len(value.get_secret_value())
    if length < MIN_PASSWORD_CHARS:
        raise PydanticCustomError("string_too_short", "too short", {"min_length": MIN_PASSWORD_CHARS})
    if length > MAX_PASSWORD_CHARS:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": MAX_PASSWORD_CHARS})
    return value


NewPassword = Annotated[SecretStr, AfterValidator(_check_length)]


def _require(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise PydanticCustomError("missing", "required")
    return value


class SignInForm(Form):
    """A sign-in; `next` is the path to continue at."""

    email: Email
    password: Annotated[SecretStr, AfterValidator(_require)]
    next: str = "/"


class RegisterForm(Form):
    """A sign-up."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    email: Email
    password: NewPassword

    @field_validator("password")
    @classmethod
    def check_password(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Apply auth's rules for passwords, so that the form can name the one that failed."""
        password, email = value.get_secret_value(), str(info.data.get("email", ""))
        if password.strip().casefold() in (email.casefold(), email.partition("@")[0].casefold()):
            raise PydanticCustomError("is_the_address", "equals the address")
        return value


class ResendForm(Form):
    """The address whose verification mail is sent again."""

    email: Email


class VerifyForm(Form):
    """The token of a verification link; with a password for the account where another browser signed up."""

    token: Token
    password: NewPassword | None = None
