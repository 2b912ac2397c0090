"""Addresses with names, and subjects, as SES takes them."""

from bisect import bisect_right
from email.header import Header
from email.utils import formataddr

MAX_MAILBOX_BYTES = 320
"""SES's limit for an encoded name with its address."""


def format_mailbox(name: str | None, email: str) -> str:
    """`Name <address>`, the name shortened until SES accepts its length."""
    if not name:
        return email
    count = bisect_right(range(1, len(name) + 1), MAX_MAILBOX_BYTES, key=lambda end: len(_format(name[:end], email)))
    return _format(name[:count].rstrip(" \u200d"), email) if count else email


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
