"""Requests about the address of an account."""

from bongsu_auth.accounts.schemas import Email, Strict, Token


class EmailIn(Strict):
    """The new address."""

    email: Email


class ConfirmIn(Strict):
    """The token of the mail."""

    token: Token
