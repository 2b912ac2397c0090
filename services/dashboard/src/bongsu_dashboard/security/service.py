"""Changes of credentials at auth, whose refusals become errors that the forms show."""

from bongsu.runtime.errors import Conflict, Forbidden, Invalid, ServiceError, TooMany, Unauthorised
from bongsu_dashboard.accounts.port import Cookies
from bongsu_dashboard.accounts.user import User
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import (
    AccountNotTyped,
    CodeTooLate,
    LinkUseless,
    OnlyAdministrator,
    TooManyLogins,
    WrongCode,
    WrongPassword,
)
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.security.port import AppSecret, CredentialClient, NewToken, SecondFactor
from bongsu_dashboard.security.schemas import ConfirmForm, PasswordForm, ResetForm


class Security:
    """Changes and confirms passwords, addresses and second factors."""

    def __init__(self, credentials: CredentialClient) -> None:
        self._credentials = credentials

    async def forget_password(self, browser: Browser, email: str) -> None:
        """Request a link that resets a password.

        :raises TooManyLogins: too many requests.
        """
        try:
            await self._credentials.forget_password(browser, email)
        except TooMany as error:
            raise TooManyLogins(error) from error

    async def reset_password(self, browser: Browser, form: ResetForm) -> None:
        """Set a password with the token of a mail.

        :raises LinkUseless: the token is unknown, used or expired.
        :raises FieldsRefused: auth refused the password.
        """
        try:
            await self._credentials.reset_password(browser, form.token, form.password.get_secret_value())
        except Invalid as error:
            raise (LinkUseless() if error.code == "link_refused" else FieldsRefused(error)) from error

    async def change_password(self, browser: Browser, form: PasswordForm) -> None:
        """Change the password.

        :raises WrongPassword: the current password is wrong.
        :raises FieldsRefused: auth refused a field.
        :raises TooManyLogins: too many wrong passwords.
        """
        current = form.current.get_secret_value() or None
        try:
            await self._credentials.change_password(browser, current, form.new.get_secret_value())
        except ServiceError as error:
            raise _refusal_of(error, "current") from error

    async def change_email(self, browser: Browser, email: str) -> None:
        """Request a change of the address.

        :raises FieldsRefused: auth refused the address.
        :raises TooManyLogins: too many requests.
        """
        try:
            await self._credentials.change_email(browser, email)
        except ServiceError as error:
            raise _refusal_of(error, "email") from error

    async def confirm_email(self, browser: Browser, token: str) -> None:
        """Confirm a new address.

        :raises LinkUseless: the token is unknown, used or expired.
        """
        try:
            await self._credentials.confirm_email(browser, token)
        except Invalid as error:
            raise LinkUseless from error

    async def reauthenticate(self, browser: Browser, form: ConfirmForm) -> NewToken:
        """Confirm the password and the second factor.

        :raises WrongPassword, WrongCode: it is wrong.
        :raises TooManyLogins: too many guesses.
        """
        password, code = form.password.get_secret_value() or None, form.code or None
        try:
            return await self._credentials.reauthenticate(browser, password, code)
        except ServiceError as error:
            raise _refusal_of(error, "password") from error

    async def delete_account(self, browser: Browser, user: User, typed: str) -> None:
        """Delete the account of the signed-in user, who typed its address, or its name where it has none.

        :raises AccountNotTyped: they typed another text.
        :raises OnlyAdministrator: no administrator would be left.
        """
        if typed.casefold() != (user.email or user.display_name).casefold():
            raise AccountNotTyped
        try:
            await self._credentials.delete_account(browser)
        except Conflict as error:
            if error.code == "last_administrator":
                raise OnlyAdministrator from error
            raise

    async def verify_code(self, browser: Browser, code: str) -> Cookies:
        """Complete a sign-in with the second factor.

        :raises WrongCode: the code is wrong.
        :raises CodeTooLate: the sign-in has ended.
        :raises TooManyLogins: too many guesses.
        """
        try:
            return await self._credentials.verify_code(browser, code)
        except Unauthorised as error:
            raise CodeTooLate from error
        except ServiceError as error:
            raise _refusal_of(error, "code") from error

    async def show_second_factor(self, browser: Browser) -> SecondFactor:
        return await self._credentials.show_second_factor(browser)

    async def start_second_factor(self, browser: Browser) -> AppSecret:
        """Create a secret for an authenticator app.

        :raises Conflict: the second factor is on already.
        """
        return await self._credentials.start_second_factor(browser)

    async def enable_second_factor(self, browser: Browser, code: str) -> list[str]:
        """Turn the second factor on. Returns recovery codes.

        :raises WrongCode: the code is wrong.
        :raises Conflict: the second factor is on already, or there is no secret.
        """
        try:
            return await self._credentials.enable_second_factor(browser, code)
        except ServiceError as error:
            raise _refusal_of(error, "code") from error

    async def replace_recovery_codes(self, browser: Browser) -> list[str]:
        """Create new recovery codes.

        :raises Conflict: the second factor is not on.
        """
        return await self._credentials.replace_recovery_codes(browser)

    async def disable_second_factor(self, browser: Browser) -> None:
        """Turn the second factor off.

        :raises Conflict: it is not on.
        """
        await self._credentials.disable_second_factor(browser)


def _refusal_of(error: ServiceError, field: str) -> ServiceError:
    """Return the error that a form shows for a refusal of auth; the refusal itself where no form can.

    :param field: the field of the current password.
    """
    match error:
        case TooMany():
            return TooManyLogins(error)
        case Forbidden(code="password_refused"):
            return WrongPassword(field)
        case Forbidden(code="mfa_code_refused"):
            return WrongCode()
        case Invalid():
            return FieldsRefused(error)
    return error
