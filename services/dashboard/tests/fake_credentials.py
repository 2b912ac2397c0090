"""A fake of auth's part about credentials."""

from dataclasses import dataclass, field

from bongsu.runtime.errors import Conflict, FieldError, Forbidden, Invalid, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.security.port import AppSecret, NewToken, SecondFactor
from services.dashboard.tests.fakes import MINA, PASSWORD, SIGNED_IN, now

CODE = "123456"
CODES = [f"abcd-efgh-ijkl-mno{digit}" for digit in range(2, 8)]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class FakeCredentials:
    """`recent` is whether the last authentication is recent enough for a change."""

    recent: bool = True
    enabled: bool = False
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

    async def reauthenticate(self, browser: Browser, password: str | None, code: str | None) -> NewToken:
        del browser
        self._called("reauthenticate", password or "", code or "")
        if password == "slow-down":
            raise TooMany("Wait", retry_after_s=30)
        if password not in (None, PASSWORD):
            raise Forbidden("The password is wrong", code="password_refused")
        _check_code(code)
        self.recent = True
        return NewToken(access_token=MINA, expires_in=900)

    async def delete_account(self, browser: Browser) -> None:
        del browser
        self._called("delete_account")
        self._require_recent()

    async def verify_code(self, browser: Browser, code: str) -> Cookies:
        self._called("verify_code", code)
        if "mfa-80" not in browser.cookies or code == "late":
            raise Unauthorised("Too late", code="mfa_expired")
        _check_code(code)
        return SIGNED_IN

    async def show_second_factor(self, browser: Browser) -> SecondFactor:
        del browser
        at = now() if self.enabled else None
        return SecondFactor(enabled=self.enabled, enabled_at=at, recovery_codes_left=len(CODES) if self.enabled else 0)

    async def start_second_factor(self, browser: Browser) -> AppSecret:
        del browser
        self._require_recent()
        self._require(enabled=False)
        return AppSecret(secret=SECRET, otpauth_uri=f"otpauth://totp/Bongsu:mina?secret={SECRET}&issuer=Bongsu")

    async def enable_second_factor(self, browser: Browser, code: str) -> list[str]:
        del browser
        self._require(enabled=False)
        _check_code(code)
        self.enabled = True
        return CODES

    async def replace_recovery_codes(self, browser: Browser) -> list[str]:
        del browser
        self._require(enabled=True)
        return CODES

    async def disable_second_factor(self, browser: Browser) -> None:
        del browser
        self._require_recent()
        self._require(enabled=True)
        self.enabled = False

    def _require(self, *, enabled: bool) -> None:
        if self.enabled != enabled:
            raise Conflict("It is on or off already", code="mfa")


def _check_code(code: str | None) -> None:
    if code not in (None, CODE):
        raise Forbidden("The code is wrong", code="mfa_code_refused")


def _check_policy(name: str, password: str) -> None:
    if password == "password123":
        raise Invalid("Invalid input", errors=[FieldError(("body", name), "too common")])
