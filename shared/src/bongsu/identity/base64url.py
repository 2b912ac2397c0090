"""base64url without padding (RFC 7515, section 2), in its one spelling: two texts never mean the same bytes."""

import base64


def encode(data: bytes) -> str:
    """Return bytes in base64url."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Return the bytes of a text in base64url.

    :raises ValueError: the text is not as `encode` writes it: it has padding, other characters, or ones in the bits
        that encode nothing.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encode(data) != text:
        raise ValueError("not in its canonical spelling")
    return data
