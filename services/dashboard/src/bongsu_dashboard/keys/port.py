"""The port to auth: the signed-in user's API keys."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol
from uuid import UUID

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.upstream import Received

KeyState = Literal["active", "stopped", "expired"]


class ApiKey(Received):
    """A key without its secret. `access_key` is the `keyid` of its signatures."""

    id: UUID
    access_key: str
    memo: str | None
    scopes: list[str]
    mode: str
    status: str
    expires_at: datetime | None
    previous_secret_valid_until: datetime | None
    created_at: datetime

    @property
    def state(self) -> KeyState:
        if self.expires_at is not None and self.expires_at <= datetime.now(UTC):
            return "expired"
        return "active" if self.status == "active" else "stopped"

    @property
    def overlap(self) -> str:
        """Until when the old secret works; empty without one."""
        return self.previous_secret_valid_until.isoformat() if self.previous_secret_valid_until is not None else ""


class NewSecret(ApiKey):
    """A created or rotated key with its secret, which no other response contains."""

    secret_key: str


class KeyPage(Received):
    """Keys, newest first."""

    items: list[ApiKey]
    next: str | None


class AllowlistEntry(Received):
    """An address or a CIDR block from which a key may be used."""

    id: UUID
    cidr: str
    created_at: datetime


class KeyClient(Protocol):
    """Auth's API for keys. Every method raises ServiceDown while auth does not answer, NotFound for another's key."""

    async def list_keys(self, browser: Browser, *, after: UUID | None) -> KeyPage:
        """List the user's keys."""

    async def find_key(self, browser: Browser, key_id: UUID) -> ApiKey:
        """Return a key."""

    async def create_key(
        self, browser: Browser, *, memo: str | None, scopes: Sequence[str], mode: str, expires_at: datetime | None
    ) -> NewSecret:
        """Create a key.

        :raises Forbidden: code `reauthentication_required`: the last authentication is too old.
        :raises Conflict: the user has as many active keys as the limit allows.
        :raises Invalid: `errors` names the fields.
        """

    async def change_key(self, browser: Browser, key_id: UUID, changes: dict[str, str | None]) -> None:
        """Change `memo` or `status`.

        :raises Conflict: activating it would exceed the limit.
        :raises Invalid: `errors` names the fields.
        """

    async def rotate_key(self, browser: Browser, key_id: UUID) -> NewSecret:
        """Give a key a new secret. The old one works until `previous_secret_valid_until`.

        :raises Forbidden: code `reauthentication_required`: the last authentication is too old.
        """

    async def delete_key(self, browser: Browser, key_id: UUID) -> None:
        """Delete a key."""

    async def list_entries(self, browser: Browser, key_id: UUID) -> list[AllowlistEntry]:
        """Return the allow-list of a key. While it is empty, the key may be used from every address."""

    async def add_entry(self, browser: Browser, key_id: UUID, cidr: str) -> None:
        """Add a block to an allow-list.

        :raises Conflict: code `allowlist_entry_exists` or `allowlist_limit`.
        :raises Invalid: it is not an address or a CIDR block.
        """

    async def remove_entry(self, browser: Browser, key_id: UUID, entry_id: UUID) -> None:
        """Remove a block from an allow-list."""
