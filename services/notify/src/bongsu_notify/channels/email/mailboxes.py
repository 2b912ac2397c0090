"""Addresses with names, and subjects, as SES takes them."""

from bisect import bisect_right
from email.header import Header
from email.utils import formataddr

MAX_MAILBOX_BYTES = 320
"""SES's limit for an encoded name with its address."""
_TRAILING = " \u200d"


def format_mailbox(name: str | None, email: str) -> str:
    """`Name <address>`, the name shortened until SES accepts its length."""
    name = (name or "").rstrip(_TRAILING)
    if not name:
        return email
    mailbox = _format(name, email)
    if len(mailbox) <= MAX_MAILBOX_BYTES:
        return mailbox
    count = bisect_right(range(1, len(name) + 1), MAX_MAILBOX_BYTES, key=lambda end: len(_format(name[:end], email)))
    return _format(name[:count].rstrip(_TRAILING), email) if count else email


def _format(name: str, email: str) -> str:
    if name.isascii() and "=?" not in name:
        return formataddr((name, email))
    return f"{_encode(name)} <{email}>"


def _encode(text: str) -> str:
    """Encoded words (RFC 2047) of at most 75 characters each."""
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="")


def encode_subject(text: str) -> str:
    """The subject, encoded where SES would not."""
    # SES encodes other characters, and passes ASCII on: a client would decode encoded words that a caller wrote, line
    # breaks included.
    return _encode(text) if text.isascii() and "=?" in text else text
