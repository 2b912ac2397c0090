"""Forms about credentials."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

from bongsu_dashboard.forms import Form
from bongsu_dashboard.sign_in.schemas import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, Email, Token


def _check_length(value: SecretStr) -> SecretStr:
    length = len(value.get_secret_value())
    if length < MIN_PASSWORD_CHARS:
        raise PydanticCustomError("string_too_short", "too short", {"min_length": MIN_PASSWORD_CHARS})
    if length > MAX_PASSWORD_CHARS:
        raise PydanticCustomError("string_too_long", "too long", {"max_length": MAX_PASSWORD_CHARS})
    return value


NewPassword = Annotated[SecretStr, AfterValidator(_check_length)]


class ForgotForm(Form):
    """The address of an account whose password was forgotten."""

    email: Email


class ResetForm(Form):
    """The token of a link, and the new password."""

    token: Token
    password: NewPassword


class PasswordForm(Form):
    """A change of the password; `current` is empty for an account that has none."""

    current: SecretStr = SecretStr("")
    new: NewPassword


class ConfirmForm(Form):
    """The password, to continue at `next`."""

    next: str = "/account"
    password: SecretStr = SecretStr("")
