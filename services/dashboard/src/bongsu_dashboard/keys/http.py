"""The port over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from bongsu_dashboard.browser import Browser
from bongsu_dashboard.keys.port import AllowlistEntry, ApiKey, KeyPage, NewSecret
from bongsu_dashboard.upstream import Received, Upstream

PAGE = "25"
KEYS = "/auth/api-keys"


class _Entries(Received):
    items: list[AllowlistEntry]


class HttpKeyClient:
    """Implements `KeyClient`; see there."""

    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    async def list_keys(self, browser: Browser, *, after: UUID | None) -> KeyPage:
        query = {"limit": PAGE} | ({"after": str(after)} if after else {})
        return (await self._auth.call(browser, "GET", KEYS, query=query)).parse(KeyPage)

    async def find_key(self, browser: Browser, key_id: UUID) -> ApiKey:
        return (await self._auth.call(browser, "GET", f"{KEYS}/{key_id}")).parse(ApiKey)

    async def create_key(
        self, browser: Browser, *, memo: str | None, scopes: Sequence[str], mode: str, expires_at: datetime | None
    ) -> NewSecret:
        body: dict[str, JsonValue] = {"memo": memo, "scopes": [*scopes], "mode": mode}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return (await self._auth.call(browser, "POST", KEYS, body=body)).parse(NewSecret)

    async def change_key(self, browser: Browser, key_id: UUID, changes: dict[str, str | None]) -> None:
        await self._auth.call(browser, "PATCH", f"{KEYS}/{key_id}", body={**changes})

    async def rotate_key(self, browser: Browser, key_id: UUID) -> NewSecret:
        return (await self._auth.call(browser, "POST", f"{KEYS}/{key_id}/rotate")).parse(NewSecret)

    async def delete_key(self, browser: Browser, key_id: UUID) -> None:
        await self._auth.call(browser, "DELETE", f"{KEYS}/{key_id}")

    async def list_entries(self, browser: Browser, key_id: UUID) -> list[AllowlistEntry]:
        return (await self._auth.call(browser, "GET", f"{KEYS}/{key_id}/allowlist")).parse(_Entries).items

    async def add_entry(self, browser: Browser, key_id: UUID, cidr: str) -> None:
        await self._auth.call(browser, "POST", f"{KEYS}/{key_id}/allowlist", body={"cidr": cidr})

    async def remove_entry(self, browser: Browser, key_id: UUID, entry_id: UUID) -> None:
        await self._auth.call(browser, "DELETE", f"{KEYS}/{key_id}/allowlist/{entry_id}")
