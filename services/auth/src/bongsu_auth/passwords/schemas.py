"""Requests about passwords."""

from bongsu_auth.accounts.schemas import Email, GivenPassword, NewPassword, Strict, Token


class ForgotIn(Strict):
    """The address of the account."""

    email: Email


class ResetIn(Strict):
    """The token of the mail, and the new password."""

    token: Token
    password: NewPassword


class PasswordIn(Strict):
    """The current password, unless the account has none, and the new one."""

    current: GivenPassword | None = None
    new: NewPassword
