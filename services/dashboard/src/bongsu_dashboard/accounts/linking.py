"""What is said when a browser comes back from linking an account."""

from typing import Final

_KNOWN: Final = frozenset({"linked_elsewhere", "another_linked"})


def flash_of(error: str | None) -> str:
    """For the code that auth put into the address, or for none."""
    if error is None:
        return "ok.linked"
    return f"bad.{error}" if error in _KNOWN else "bad.not_linked"
