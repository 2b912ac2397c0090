"""Signing up, in and out."""

from bongsu.runtime.errors import Forbidden, Invalid, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.accounts.port import AuthClient, Cookies, SignInReply
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import (
    LoginRefused,
    SignInRequired,
    TooManyLogins,
    VerificationPasswordRequired,
    VerificationRefused,
)
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.sign_in.schemas import RegisterForm, SignInForm, VerifyForm


class SignIn:
    """Creates accounts and sessions at auth, and turns auth's refusals into errors that the forms show."""

    def __init__(self, auth: AuthClient) -> None:
        self._auth = auth

    async def list_providers(self) -> tuple[str, ...]:
        """List the providers to sign in with. None while auth is down: the password form works without them."""
        try:
            return await self._auth.providers()
        except ServiceError:
            return ()

    async def sign_in(self, browser: Browser, form: SignInForm) -> SignInReply:
        """Sign in with a password.

        :raises LoginRefused: the address or the password is wrong, or auth accepts neither.
        :raises TooManyLogins: too many attempts.
        """
        try:
            return await self._auth.sign_in(browser, email=form.email, password=form.password.get_secret_value())
        except TooMany as error:
            raise TooManyLogins(error) from error
        except (Unauthorised, Invalid) as error:
            raise LoginRefused from error

    async def register(self, browser: Browser, form: RegisterForm) -> Cookies:
        """Sign up.

        :raises FieldsRefused: auth refused a field.
        """
        password = form.password.get_secret_value()
        try:
            return await self._auth.register(browser, email=form.email, password=password, name=form.name or None)
        except Invalid as error:
            raise FieldsRefused(error) from error

    async def resend(self, browser: Browser, email: str) -> None:
        await self._auth.resend(browser, email)

    async def verify(self, browser: Browser, form: VerifyForm) -> Cookies:
        """Verify an address.

        :raises VerificationPasswordRequired: another browser than the one that signed up.
        :raises VerificationRefused: the link does not work.
        :raises FieldsRefused: auth refused the password.
        :raises TooManyLogins: too many links that do not work.
        """
        password = form.password.get_secret_value() if form.password is not None else None
        try:
            return await self._auth.verify(browser, form.token, password)
        except TooMany as error:
            raise TooManyLogins(error) from error
        except Invalid as error:
            if error.code == "password_required":
                raise VerificationPasswordRequired from error
            if any("password" in item.loc for item in error.errors):
                raise FieldsRefused(error) from error
            raise VerificationRefused from error

    async def sign_out(self, browser: Browser) -> Cookies:
        """End this browser's session.

        :raises SignInRequired: the session has ended already.
        """
        try:
            return await self._auth.sign_out(browser)
        except (Unauthorised, Forbidden) as error:
            raise SignInRequired from error
