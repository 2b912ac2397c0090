"""The refusals that callers get, each with a stable code."""

from bongsu.identity.scopes import Permission, Scope
from bongsu.runtime.errors import Forbidden, Unauthorised


class CredentialsMissing(Unauthorised):
    """The request carries no token, signature or cookie."""

    code = "credentials_missing"
    detail = "Sign in, or sign the request with an API key"


class AccessTokenRefused(Unauthorised):
    """The access token is malformed, expired or revoked."""

    code = "token_refused"
    detail = "The access token is not valid, or has expired. Sign in again."


class AuthorizationMalformed(Unauthorised):
    """The Authorization field has another scheme."""

    code = "token_refused"
    detail = "Authorization must be `Bearer` and an access token"


class SignatureUnreadable(Unauthorised):
    """The request has no signature of the required form; the detail says what is wrong with it."""

    code = "signature_malformed"


class SignatureRefused(Unauthorised):
    """No signature of the request is accepted: one answer for every reason."""

    code = "signature_refused"
    detail = (
        "The signature is not accepted. Check the key, the secret and your clock, use a new nonce, and send the "
        "request exactly as you signed it."
    )


class AddressNotAllowed(Forbidden):
    """The key's allow-list does not contain the client's address."""

    code = "address_not_allowed"
    detail = "This API key cannot be used from your IP address"


class CrossSiteRequest(Forbidden):
    """A page of another site sent the request with the browser's cookies."""

    code = "cross_site"
    detail = "The request came from another site"


class SessionRequired(Forbidden):
    """An API key signed a request that needs a signed-in user."""

    code = "session_required"
    detail = "API keys cannot manage accounts or keys. Sign in instead."


class ScopeMissing(Forbidden):
    """The token or key lacks a scope."""

    code = "scope_missing"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"You need the scope {scope}")


class PermissionMissing(Forbidden):
    """The caller's role lacks a permission."""

    code = "permission_missing"

    def __init__(self, permission: Permission) -> None:
        super().__init__(f"You need the permission {permission}, which your role does not have")
