"""Forms about credentials."""

from typing import Annotated

from pydantic import SecretStr, StringConstraints

from bongsu_dashboard.forms import Form
from bongsu_dashboard.sign_in.schemas import Email, NewPassword, Token

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
OptionalCode = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]


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


class EmailForm(Form):
    """A new address."""

    email: Email


class ConfirmEmailForm(Form):
    """The token of a link to a new address."""

    token: Token


class ConfirmForm(Form):
    """The password and the code of the second factor, as far as the account has them, to continue at `next`."""

    next: str = "/account"
    password: SecretStr = SecretStr("")
    code: OptionalCode = ""


class CodeForm(Form):
    """The code of a second factor, to continue the sign-in at `next`."""

    next: str = "/"
    code: Code


class EnableForm(Form):
    """The first code of an authenticator app, with the secret that the page showed."""

    code: Code
    secret: Annotated[str, StringConstraints(pattern="^[A-Z2-7]{16,64}$")]
    uri: Annotated[str, StringConstraints(pattern="^otpauth://totp/", max_length=1000)]
