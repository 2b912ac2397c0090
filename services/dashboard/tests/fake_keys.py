"""A fake of auth's part about API keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import UUID, uuid4

from bongsu.runtime.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.keys.port import AllowlistEntry, ApiKey, KeyPage, NewSecret

PAGE = 5
MAX_ACTIVE = 3


def a_key(**facts: object) -> ApiKey:
    made: dict[str, object] = {
        "id": uuid4(),
        "access_key": f"bak_{uuid4().hex[:22]}",
        "memo": None,
        "scopes": ["notifications:read", "notifications:write"],
        "mode": "live",
        "status": "active",
        "expires_at": None,
        "previous_secret_valid_until": None,
        "created_at": datetime(2026, 10, 1, tzinfo=UTC),
    }
    return ApiKey.model_validate(made | facts)


@dataclass
class FakeKeys:
    """`items` are the keys, newest first; `entries` their allow-lists; `recent` as in `FakeCredentials`."""

    recent: bool = True
    items: list[ApiKey] = field(default_factory=list)
    entries: dict[UUID, list[AllowlistEntry]] = field(default_factory=dict)
    secrets_made: int = 0

    async def list_keys(self, browser: Browser, *, after: UUID | None) -> KeyPage:
        del browser
        at = next((number + 1 for number, key in enumerate(self.items) if key.id == after), 0)
        shown = self.items[at : at + PAGE]
        return KeyPage(items=shown, next=str(shown[-1].id) if len(self.items) > at + PAGE else None)

    async def find_key(self, browser: Browser, key_id: UUID) -> ApiKey:
        del browser
        for key in self.items:
            if key.id == key_id:
                return key
        raise NotFound("API key not found", code="api_key_not_found")

    async def create_key(
        self, browser: Browser, *, memo: str | None, scopes: Sequence[str], mode: str, expires_at: datetime | None
    ) -> NewSecret:
        del browser
        self._require_recent()
        self._require_room()
        key = a_key(memo=memo, scopes=[*scopes], mode=mode, expires_at=expires_at)
        self.items.insert(0, key)
        return self._with_secret(key)

    async def change_key(self, browser: Browser, key_id: UUID, changes: dict[str, str | None]) -> None:
        key = await self.find_key(browser, key_id)
        if "\x07" in (changes.get("memo") or ""):
            raise Invalid("Invalid input", errors=[FieldError(("body", "memo"), "must be one line")])
        if changes.get("status") == "active":
            self._require_room()
        self._replace(key.model_copy(update=changes))

    async def rotate_key(self, browser: Browser, key_id: UUID) -> NewSecret:
        self._require_recent()
        key = await self.find_key(browser, key_id)
        until = datetime.now(UTC) + timedelta(hours=24)
        return self._with_secret(self._replace(key.model_copy(update={"previous_secret_valid_until": until})))

    async def delete_key(self, browser: Browser, key_id: UUID) -> None:
        self.items.remove(await self.find_key(browser, key_id))

    async def list_entries(self, browser: Browser, key_id: UUID) -> list[AllowlistEntry]:
        await self.find_key(browser, key_id)
        return self.entries.get(key_id, [])

    async def add_entry(self, browser: Browser, key_id: UUID, cidr: str) -> None:
        found = await self.list_entries(browser, key_id)
        try:
            block = str(ip_network(cidr))
        except ValueError:
            raise Invalid("Invalid input", errors=[FieldError(("body", "cidr"), "not an address")]) from None
        if any(entry.cidr == block for entry in found):
            raise Conflict("It is there", code="allowlist_entry_exists")
        self.entries[key_id] = [*found, AllowlistEntry(id=uuid4(), cidr=block, created_at=datetime.now(UTC))]

    async def remove_entry(self, browser: Browser, key_id: UUID, entry_id: UUID) -> None:
        found = await self.list_entries(browser, key_id)
        left = [entry for entry in found if entry.id != entry_id]
        if len(left) == len(found):
            raise NotFound("Allow-list entry not found", code="allowlist_entry_not_found")
        self.entries[key_id] = left

    def _require_recent(self) -> None:
        if not self.recent:
            raise Forbidden("Too long ago", code="reauthentication_required")

    def _require_room(self) -> None:
        if sum(key.state == "active" for key in self.items) >= MAX_ACTIVE:
            raise Conflict("Stop one first", code="api_key_limit")

    def _replace(self, key: ApiKey) -> ApiKey:
        self.items = [key if item.id == key.id else item for item in self.items]
        return key

    def _with_secret(self, key: ApiKey) -> NewSecret:
        self.secrets_made += 1
        return NewSecret.model_validate(key.model_dump() | {"secret_key": f"bsk_secret-{self.secrets_made}"})
