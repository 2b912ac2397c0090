"""Changes of credentials at auth, whose refusals become errors that the forms show."""

from bongsu.runtime.errors import Forbidden, Invalid, ServiceError, TooMany
from bongsu_dashboard.browser import Browser
from bongsu_dashboard.errors import LinkUseless, TooManyLogins, WrongPassword
from bongsu_dashboard.forms import FieldsRefused
from bongsu_dashboard.security.port import CredentialClient, NewToken
from bongsu_dashboard.security.schemas import PasswordForm, ResetForm


class Security:
    """Resets and changes passwords, and confirms them."""

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

    async def reauthenticate(self, browser: Browser, password: str) -> NewToken:
        """Confirm the password.

        :raises WrongPassword: it is wrong.
        :raises TooManyLogins: too many wrong passwords.
        """
        try:
            return await self._credentials.reauthenticate(browser, password)
        except ServiceError as error:
            raise _refusal_of(error, "password") from error


def _refusal_of(error: ServiceError, field: str) -> ServiceError:
    """Return the error that a form shows for a refusal of auth; the refusal itself where no form can.

    :param field: the field of the current password.
    """
    match error:
        case TooMany():
            return TooManyLogins(error)
        case Forbidden(code="password_refused"):
            return WrongPassword(field)
        case Invalid():
            return FieldsRefused(error)
    return error
