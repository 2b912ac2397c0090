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


class TooManySignUps(TooMany):
    """Too many sign-ups from one network of late."""

    code = "too_many_sign_ups"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "Too many sign-ups came from your network within an hour; wait before the next", retry_after_s=retry_after_s
        )


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


class ProviderNotFound(NotFound):
    """There is no such provider, or it is not configured."""

    code = "provider_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such way to sign in here; `GET /auth/providers` lists them")


class StateRefused(ServiceError):
    """The sign-in at the provider was not begun here, by this browser, or it came back before. Answered with 400."""

    code = "state_refused"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("This sign-in was not begun in this browser, or it is over already; begin anew")


class StateExpired(ServiceError):
    """The sign-in at the provider took too long. Answered with 400."""

    code = "state_expired"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("The sign-in took too long; begin anew")


class IdTokenForged(ServiceError):
    """What the provider's answer says of who signed in is not to be believed. Answered with 400."""

    code = "id_token_refused"
    title = "Not signed in"

    def __init__(self) -> None:
        super().__init__("The provider's answer is not one to this sign-in; begin anew")


class LoginToLink(Conflict):
    """An account has the address, and it is not sure that both are of one person."""

    code = "login_to_link"

    def __init__(self) -> None:
        super().__init__("There is an account with this address: sign in to it, and link this one there")


class LinkedElsewhere(Conflict):
    """The provider's account is linked to another user."""

    code = "linked_elsewhere"

    def __init__(self) -> None:
        super().__init__("This account is linked to another user")


class AnotherLinked(Conflict):
    """The user has another account of this provider linked."""

    code = "another_linked"

    def __init__(self) -> None:
        super().__init__("Another account of this provider is linked: unlink that one first")


class IdentityNotFound(NotFound):
    """No account of this provider is linked."""

    code = "identity_not_found"

    def __init__(self) -> None:
        super().__init__("No account of this provider is linked")


class LastWayIn(Conflict):
    """Without it the user could not sign in any more."""

    code = "last_sign_in_method"

    def __init__(self) -> None:
        super().__init__("This is the last way to sign in: set a password or link another account first")


class ReauthenticationRequired(Forbidden):
    """The sign-in is too long ago for this."""

    code = "reauthentication_required"

    def __init__(self) -> None:
        super().__init__(
            "This needs a sign-in within the last ten minutes: give your password (`POST /auth/reauthenticate`), or "
            "sign in anew"
        )


class PasswordRefused(Forbidden):
    """The password given again is wrong. The session goes on."""

    code = "password_refused"

    def __init__(self) -> None:
        super().__init__("The password is wrong")


class PasswordMissing(Conflict):
    """The account has no password."""

    code = "password_missing"

    def __init__(self) -> None:
        super().__init__("This account has no password: sign in anew with a linked account")


class DiscordNotLinked(Conflict):
    """The user has not linked Discord."""

    code = "discord_not_linked"

    def __init__(self) -> None:
        super().__init__("Link your Discord account first")


class DiscordRelinkNeeded(Conflict):
    """Discord no longer honours what the user allowed, or they did not allow to list their guilds."""

    code = "discord_relink_needed"

    def __init__(self) -> None:
        super().__init__("Discord no longer lets us see your servers: link your Discord account again")


class GuildNotFound(NotFound):
    """There is no such guild, or the user may not manage it."""

    code = "guild_not_found"

    def __init__(self) -> None:
        super().__init__("You manage no such server")


def invalid_field(name: str, message: str) -> Invalid:
    """One field of the body is wrong."""
    return Invalid(f"Invalid input: {name}", errors=[FieldError(("body", name), message)])
