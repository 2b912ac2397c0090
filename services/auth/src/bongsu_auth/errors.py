"""The service's error kinds, each with a stable code."""

from bongsu.runtime.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
    TooMany,
    Unauthorised,
)


class LoginRefused(Unauthorised):
    """The address, the password, or the account: which one is not told."""

    code = "login_refused"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("The address or the password is wrong")


class TooManyLogins(TooMany):
    """Too many failed attempts of late."""

    code = "too_many_logins"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many failed attempts; wait before the next", retry_after_s=retry_after_s)


class RefreshRefused(Unauthorised):
    """The refresh token is unknown, expired, used before, or its session has ended."""

    code = "refresh_refused"

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid, or no longer; sign in again")


class VerificationRefused(ServiceError):
    """The link of a mail does not work, whatever the reason. Answered with 400."""

    code = "verification_refused"
    title = "Not confirmed"

    def __init__(self) -> None:
        super().__init__("The link does not work any more, or the password is not the one given at sign-up")


class PasswordRequired(ServiceError):
    """A link was opened in another browser, without the password. Answered with 400."""

    code = "password_required"
    title = "Not confirmed"

    def __init__(self) -> None:
        super().__init__(
            "Give the password of the sign-up too: this is not the browser in which it was made",
            errors=[FieldError(("body", "password"), "The password given at sign-up")],
        )


class AccountBlocked(Forbidden):
    """The account was blocked since the token was issued."""

    code = "account_blocked"


class SessionNotFound(NotFound):
    """There is no such session, or it is another's."""

    code = "session_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such session")


class KeyNotFound(NotFound):
    """There is no such key, or it is another's."""

    code = "api_key_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such API key")


class EntryNotFound(NotFound):
    """There is no such entry in the key's allow-list."""

    code = "allowlist_entry_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such entry in the allow-list")


class TooManyKeys(Conflict):
    """The user has as many active keys as are allowed."""

    code = "api_key_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"At most {limit} API keys can be active: stop or delete one first")


class TooManyEntries(Conflict):
    """The allow-list is full."""

    code = "allowlist_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An allow-list has at most {limit} entries: delete one first")


class EntryExists(Conflict):
    """The block is in the allow-list already."""

    code = "allowlist_entry_exists"

    def __init__(self, cidr: str) -> None:
        super().__init__(f"{cidr} is in the allow-list already")


class AddressTaken(Conflict):
    """Another account has this address."""

    code = "address_taken"

    def __init__(self) -> None:
        super().__init__("There is an account with this address already")


class UserNotFound(NotFound):
    """There is no account with this address."""

    code = "user_not_found"

    def __init__(self) -> None:
        super().__init__("There is no account with this address")


def invalid_field(name: str, message: str) -> Invalid:
    """One field of the body is wrong."""
    return Invalid(f"Wrong input: {name}", errors=[FieldError(("body", name), message)])
