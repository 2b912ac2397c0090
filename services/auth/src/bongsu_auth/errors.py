"""auth's errors. Each has a stable code."""

from bongsu.runtime.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
    TooMany,
    Unauthorised,
    Unavailable,
)


class LoginRefused(Unauthorised):
    """Wrong address, wrong password, or an account that may not be used: the response does not say which."""

    code = "login_refused"
    detail = "The email address or the password is wrong"


class TooManyLogins(TooMany):
    """Too many failed sign-ins."""

    code = "too_many_logins"
    detail = "Too many failed sign-ins. Wait before the next attempt."

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s=retry_after_s)


class TooManySignUps(TooMany):
    """Too many sign-ups from one network within an hour."""

    code = "too_many_sign_ups"
    detail = "Too many sign-ups from your network within an hour. Wait before the next attempt."


class TooManyAuthorizations(TooMany):
    """Too many sign-ins at providers started in one network within an hour."""

    code = "too_many_authorizations"
    detail = "Too many sign-ins started in your network within an hour. Wait before the next attempt."


class PrefetchRefused(Forbidden):
    """A browser requested the start of a sign-in in advance, without its user."""

    code = "prefetch_refused"
    detail = "A sign-in does not start in advance"


class GrantRefused(BadRequest):
    """The code of an API client is unknown, used or expired, or the verifier is not the one of its challenge."""

    code = "invalid_grant"
    title = "Not signed in"
    detail = "The code is not valid, or the code verifier does not match. Start again."


class RefreshRefused(Unauthorised):
    """The refresh token is unknown, expired or used, or its session has ended."""

    code = "refresh_refused"
    detail = "The refresh token is not valid. Sign in again."


class VerificationRefused(ServiceError):
    """The link is unknown, used or expired: the response does not say which. Answered with 400."""

    code = "verification_refused"
    title = "Not verified"
    detail = "The link is no longer valid"


class PasswordRequired(ServiceError):
    """The link was opened in another browser, without the password. Answered with 400."""

    code = "password_required"
    title = "Not verified"
    detail = "Choose a password: this is not the browser that signed up"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(("body", "password"), "Choose the password of the account")])


class LinkRefused(ServiceError):
    """The link of a mail is unknown, used or expired. Answered with 400."""

    code = "link_refused"
    title = "Not changed"
    detail = "The link is no longer valid. Request a new one."


class TooManyMails(TooMany):
    """Too many mails to confirm a new address within an hour."""

    code = "too_many_mails"
    detail = "You requested too many changes of your address. Try again in an hour."

    def __init__(self) -> None:
        super().__init__(retry_after_s=3600)


class CodeRefused(Forbidden):
    """The code of the second factor is wrong or was used."""

    code = "mfa_code_refused"
    detail = "The code is wrong or was already used"


class MfaExpired(Unauthorised):
    """The sign-in that waits for the second factor is unknown, complete or too old."""

    code = "mfa_expired"
    detail = "The sign-in took too long or is already complete. Start again."


class MfaEnabled(Conflict):
    """The second factor is on already."""

    code = "mfa_enabled"
    detail = "Two-step verification is already on. Turn it off first."


class MfaNotEnabled(Conflict):
    """The second factor is not on."""

    code = "mfa_not_enabled"
    detail = "Two-step verification is not on"


class MfaNotStarted(Conflict):
    """A first code came before there was a secret."""

    code = "mfa_not_started"
    detail = "Send a request without `code` first, for the secret of your authenticator app"


class LastAdministrator(Conflict):
    """Without this account, no administrator would be left."""

    code = "last_administrator"
    detail = "You are the only administrator. Give another account the role first."


class CredentialsChanged(Conflict):
    """The session ended, or the credentials were changed in another request at the same time."""

    code = "credentials_changed"
    detail = "Your sign-in data was changed in another request at the same time. Sign in again."


class AccountBlocked(Forbidden):
    """The account was blocked or deleted after the token was issued."""

    code = "account_blocked"
    detail = "This account is blocked"


class IdentityUnlinked(Forbidden):
    """The provider account was unlinked while the sign-in with it was not complete."""

    code = "identity_unlinked"
    detail = "This account is no longer linked. Sign in again in another way."


class SessionNotFound(NotFound):
    """The user has no open session with this ID."""

    code = "session_not_found"
    detail = "Session not found"


class KeyNotFound(NotFound):
    """The user has no API key with this ID."""

    code = "api_key_not_found"
    detail = "API key not found"


class EntryNotFound(NotFound):
    """The key's allow-list has no entry with this ID."""

    code = "allowlist_entry_not_found"
    detail = "Allow-list entry not found"


class TooManyKeys(Conflict):
    """The user has as many active keys as the limit allows."""

    code = "api_key_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"You can have {limit} active API keys. Stop or delete one first.")


class TooManyEntries(Conflict):
    """The allow-list is full."""

    code = "allowlist_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(f"An allow-list can have {limit} entries. Delete one first.")


class EntryExists(Conflict):
    """The allow-list has this block already."""

    code = "allowlist_entry_exists"

    def __init__(self, cidr: str) -> None:
        super().__init__(f"{cidr} is already in the allow-list")


class AddressTaken(Conflict):
    """Another account has this address."""

    code = "address_taken"
    detail = "An account with this email address already exists"


class UserNotFound(NotFound):
    """No account has this address."""

    code = "user_not_found"
    detail = "No account has this email address"


class AccountNotFound(NotFound):
    """No account has this ID."""

    code = "user_not_found"
    detail = "User not found"


class OwnAccount(Conflict):
    """Managers and administrators do not change their own account, which could lock them out."""

    code = "own_account"
    detail = "You cannot administer your own account"


class HigherRole(Forbidden):
    """Only administrators change accounts of the same role or a higher one."""

    code = "higher_role"
    detail = "You can only change accounts whose role is below yours"


class ProviderNotFound(NotFound):
    """The provider is unknown or not configured."""

    code = "provider_not_found"
    detail = "Provider not found. `GET /auth/providers` lists the available providers."


class ProviderDown(Unavailable):
    """The provider's endpoints cannot be read."""

    code = "provider_unavailable"
    detail = "The sign-in provider does not answer. Try again later, or sign in another way."
    retry_after_s = 10.0


class StateRefused(ServiceError):
    """The state is unknown or used, or belongs to another browser. Answered with 400."""

    code = "state_refused"
    title = "Not signed in"
    detail = "This sign-in did not start in this browser, or it is already complete. Start again."


class StateExpired(ServiceError):
    """The browser came back too late. Answered with 400."""

    code = "state_expired"
    title = "Not signed in"
    detail = "The sign-in took too long. Start again."


class IdTokenForged(ServiceError):
    """The provider's ID token is not valid for this sign-in. Answered with 400."""

    code = "id_token_refused"
    title = "Not signed in"
    detail = "The provider's response does not belong to this sign-in. Start again."


class FlowFailed(ServiceError):
    """The provider did not complete the flow; `code` says why. Browsers are redirected with it."""

    code = "provider_error"
    title = "Not signed in"


class LoginToLink(Conflict):
    """The account with the provider's address has another account of this provider linked."""

    code = "login_to_link"
    detail = "An account with this email address already exists. Sign in to it, and link this account there."


class LinkedElsewhere(Conflict):
    """The provider account is linked to another user."""

    code = "linked_elsewhere"
    detail = "This account is linked to another user"


class AnotherLinked(Conflict):
    """The user has another account of this provider linked."""

    code = "another_linked"
    detail = "Another account of this provider is linked. Unlink it first."


class IdentityNotFound(NotFound):
    """The user has no linked account of this provider."""

    code = "identity_not_found"
    detail = "No account of this provider is linked"


class LastWayIn(Conflict):
    """Without this account, the user could no longer sign in."""

    code = "last_sign_in_method"
    detail = "You cannot remove your only way to sign in. Set a password or link another account first."


class ReauthenticationRequired(Forbidden):
    """The last authentication in this session is too old."""

    code = "reauthentication_required"
    detail = (
        "You need to have signed in within the last ten minutes. Enter your password (`POST /auth/reauthenticate`), or "
        "sign in again."
    )


class PasswordRefused(Forbidden):
    """The password is wrong. The session stays open."""

    code = "password_refused"
    detail = "The password is wrong"


class PasswordMissing(Conflict):
    """The account has no password."""

    code = "password_missing"
    detail = "This account has no password. Sign in again with a linked account."


class DiscordNotLinked(Conflict):
    """The user has no linked Discord account."""

    code = "discord_not_linked"
    detail = "Link your Discord account first"


class DiscordRelinkNeeded(Conflict):
    """Discord no longer accepts the user's tokens, or they do not include the guilds scope."""

    code = "discord_relink_needed"
    detail = "Discord no longer lets us see your servers. Link your Discord account again."


class KakaoNotLinked(Conflict):
    """The user has no linked Kakao account, or does not exist."""

    code = "kakao_not_linked"
    detail = "The user has no linked Kakao account"


class KakaoConsentMissing(Conflict):
    """The user did not consent to messages."""

    code = "kakao_consent_missing"
    detail = "The user did not consent to messages from Kakao (`talk_message`), or the app does not request it"


class KakaoRelinkNeeded(Conflict):
    """Kakao no longer accepts the user's tokens."""

    code = "kakao_relink_needed"
    detail = "Kakao no longer accepts the user's consent. The user needs to link the Kakao account again."


class GuildNotFound(NotFound):
    """The user does not manage a guild with this ID."""

    code = "guild_not_found"
    detail = "You do not manage a server with this ID"


def invalid_field(name: str, message: str) -> Invalid:
    """Return the error for one field of the body."""
    return Invalid(f"Invalid input: {name}", errors=[FieldError(("body", name), message)])
