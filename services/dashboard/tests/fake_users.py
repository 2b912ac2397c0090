"""A fake of auth's part about the accounts of others."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from bongsu.identity.scopes import Role
from bongsu.runtime.errors import Conflict, Forbidden, NotFound
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.users.port import Account, AccountPage


def an_account(email: str, **facts: object) -> Account:
    made: dict[str, object] = {
        "id": uuid4(),
        "email": email,
        "name": None,
        "role": Role.USER,
        "status": "active",
        "sending": "trial",
        "mfa_enabled": False,
        "created_at": datetime(2026, 10, 1, tzinfo=UTC),
    }
    return Account.model_validate(made | facts)


@dataclass
class FakeUsers:
    """`items` are the accounts; `changes` is what was asked for."""

    items: list[Account] = field(default_factory=list)
    forbids: bool = False
    changes: list[dict[str, str]] = field(default_factory=list)

    async def list_accounts(self, browser: Browser, *, q: str | None, after: str | None) -> AccountPage:
        del browser, after
        found = [item for item in self.items if (item.email or "").startswith(q or "")]
        return AccountPage(items=found[:2], next=str(found[1].id) if len(found) > 2 else None)

    async def find_account(self, browser: Browser, user_id: UUID) -> Account:
        del browser
        for item in self.items:
            if item.id == user_id:
                return item
        raise NotFound("User not found", code="user_not_found")

    async def change_account(self, browser: Browser, user_id: UUID, changes: dict[str, str]) -> None:
        account = await self.find_account(browser, user_id)
        if self.forbids:
            raise Forbidden("Not you", code="higher_role")
        self.changes.append(changes)
        self.items[self.items.index(account)] = Account.model_validate({**account.model_dump(), **changes})

    async def reset_second_factor(self, browser: Browser, user_id: UUID) -> None:
        account = await self.find_account(browser, user_id)
        if not account.mfa_enabled:
            raise Conflict("Two-step verification is not on", code="mfa_not_enabled")
        self.items[self.items.index(account)] = account.model_copy(update={"mfa_enabled": False})
