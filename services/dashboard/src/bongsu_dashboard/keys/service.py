"""The signed-in user's API keys at auth."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bongsu.runtime.background import together
from bongsu.runtime.errors import Conflict, Invalid
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import AddressNotAllowed, KeyLimit, RotatedBefore
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.keys.port import AllowlistEntry, ApiKey, KeyClient, KeyPage, NewSecret
from bongsu_dashboard.keys.schemas import KeyForm


@dataclass(frozen=True, slots=True)
class KeyDetails:
    """What the page of a key shows."""

    key: ApiKey
    entries: list[AllowlistEntry]


class Keys:
    """Lists, creates and changes API keys. A key that the user does not have: NotFound."""

    def __init__(self, client: KeyClient) -> None:
        self._client = client

    async def list_keys(self, browser: Browser, after: UUID | None) -> KeyPage:
        return await self._client.list_keys(browser, after=after)

    async def find_key(self, browser: Browser, key_id: UUID) -> ApiKey:
        return await self._client.find_key(browser, key_id)

    async def load(self, browser: Browser, key_id: UUID) -> KeyDetails:
        """Load a key and its allow-list."""
        key, entries = await together(
            self._client.find_key(browser, key_id), self._client.list_entries(browser, key_id)
        )
        return KeyDetails(key, entries)

    async def create(self, browser: Browser, form: KeyForm) -> NewSecret:
        """Create a key.

        :raises KeyLimit: the user has as many active keys as the limit allows.
        :raises FieldsRefused: auth refused a field.
        """
        expires_at = datetime.now(UTC) + timedelta(days=int(form.lifetime)) if form.lifetime else None
        try:
            return await self._client.create_key(
                browser,
                memo=form.memo or None,
                scopes=[scope.value for scope in form.scopes],
                mode=form.mode,
                expires_at=expires_at,
            )
        except Conflict as error:
            raise KeyLimit from error
        except Invalid as error:
            raise FieldsRefused(error) from error

    async def change_memo(self, browser: Browser, key_id: UUID, memo: str) -> None:
        """Change a key's memo.

        :raises FieldsRefused: auth refused it.
        """
        try:
            await self._client.change_key(browser, key_id, {"memo": memo or None})
        except Invalid as error:
            raise FieldsRefused(error) from error

    async def change_status(self, browser: Browser, key_id: UUID, status: str) -> None:
        """Stop or activate a key.

        :raises KeyLimit: activating it would exceed the limit.
        """
        try:
            await self._client.change_key(browser, key_id, {"status": status})
        except Conflict as error:
            raise KeyLimit from error

    async def rotate(self, browser: Browser, key_id: UUID, *, seen: str) -> NewSecret:
        """Give a key a new secret; the old one works for an overlap.

        :param seen: `ApiKey.overlap` as the user saw it.
        :raises RotatedBefore: it has changed: another rotation would end a secret that the user has not replaced yet.
        """
        if (await self._client.find_key(browser, key_id)).overlap != seen:
            raise RotatedBefore
        return await self._client.rotate_key(browser, key_id)

    async def delete(self, browser: Browser, key_id: UUID) -> None:
        await self._client.delete_key(browser, key_id)

    async def allow_address(self, browser: Browser, key_id: UUID, cidr: str) -> None:
        """Add a block to a key's allow-list.

        :raises AddressNotAllowed: the list has it already, or is full.
        :raises FieldsRefused: it is not an address or a CIDR block.
        """
        try:
            await self._client.add_entry(browser, key_id, cidr)
        except Conflict as error:
            raise AddressNotAllowed(error) from error
        except Invalid as error:
            raise FieldsRefused(error) from error

    async def remove_address(self, browser: Browser, key_id: UUID, entry_id: UUID) -> None:
        await self._client.remove_entry(browser, key_id, entry_id)
