"""A fake of auth's part about credentials."""

from dataclasses import dataclass, field

from bongsu.runtime.errors import FieldError, Forbidden, Invalid, ServiceError, TooMany
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.security.port import NewToken
from services.dashboard.tests.fakes import MINA, PASSWORD


@dataclass
class FakeCredentials:
    """`recent` is whether the last authentication is recent enough for a change."""

    recent: bool = True
    raises: ServiceError | None = None
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def _called(self, *call: str) -> None:
        self.calls.append(call)
        if self.raises is not None:
            raise self.raises

    def _require_recent(self) -> None:
        if not self.recent:
            raise Forbidden("Too long ago", code="reauthentication_required")

    async def forget_password(self, browser: Browser, email: str) -> None:
        del browser
        self._called("forget_password", email)

    async def reset_password(self, browser: Browser, token: str, password: str) -> None:
        del browser
        self._called("reset_password", token, password)
        if token == "used":
            raise Invalid("The link is no longer valid", code="link_refused")
        _check_policy("password", password)

    async def change_password(self, browser: Browser, current: str | None, new: str) -> None:
        del browser
        self._called("change_password", current or "", new)
        self._require_recent()
        if current not in (None, PASSWORD):
            raise Forbidden("The password is wrong", code="password_refused")
        _check_policy("new", new)

    async def change_email(self, browser: Browser, email: str) -> None:
        del browser
        self._called("change_email", email)
        self._require_recent()

    async def confirm_email(self, browser: Browser, token: str) -> None:
        del browser
        self._called("confirm_email", token)
        if token == "used":
            raise Invalid("The link is no longer valid", code="link_refused")

    async def reauthenticate(self, browser: Browser, password: str) -> NewToken:
        del browser
        self._called("reauthenticate")
        if password == "slow-down":
            raise TooMany("Wait", retry_after_s=30)
        if password != PASSWORD:
            raise Forbidden("The password is wrong", code="password_refused")
        self.recent = True
        return NewToken(access_token=MINA, expires_in=900)


def _check_policy(name: str, password: str) -> None:
    if password == "password123":
        raise Invalid("Invalid input", errors=[FieldError(("body", name), "too common")])
