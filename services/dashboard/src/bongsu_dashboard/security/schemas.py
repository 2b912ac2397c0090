"""Forms about credentials."""

from pydantic import SecretStr

from bongsu_dashboard.forms import Form
from bongsu_dashboard.sign_in.schemas import Email, NewPassword, Token


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
    """The password, to continue at `next`."""

    next: str = "/account"
    password: SecretStr = SecretStr("")
