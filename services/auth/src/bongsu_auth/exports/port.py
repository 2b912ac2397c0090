"""The port to notify: what it keeps of a user."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from pydantic import JsonValue


class NotificationSource(Protocol):
    """Reads a user's notifications."""

    def pages(self, access_token: str) -> AsyncIterator[Sequence[JsonValue]]:
        """Yield pages of the notifications of the token's user, newest first.

        :raises Unavailable: notify does not answer.
        """
