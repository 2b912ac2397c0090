"""Signs users in for API clients: the browser takes a one-time code to the client, which exchanges it for tokens.

No cookie binds the flow to a browser: the client's PKCE verifier does. A code that another client or an attacker's
browser brings is of no use without it.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from bongsu.identity.models import User
from bongsu.identity.sweeps import sweep
from bongsu.mixins import Database
from bongsu_auth.client_sign_in.models import OAuthCode
from bongsu_auth.digests import digest
from bongsu_auth.errors import GrantRefused, invalid_field
from bongsu_auth.oauth.service import Flows
from bongsu_auth.oauth.states import ClientRequest, FlowContext, challenge_of

LIFETIME = timedelta(seconds=60)

ERRORS = {
    "denied": "access_denied",
    "account_blocked": "access_denied",
    "login_to_link": "access_denied",
    "provider_unavailable": "temporarily_unavailable",
}
"""Our codes as RFC 6749, section 4.1.2.1 calls them; all others are `server_error`."""


@dataclass(frozen=True, slots=True)
class ClientSignIns:
    """Starts and completes the sign-ins of API clients. Every method opens its own units of work.

    :param redirect_uris: the allowed ones. One at a loopback address allows every port (RFC 8252, section 7.3).
    :param issuer: the public URL, by which clients of several servers tell the responses apart (RFC 9207).
    """

    database: Database
    flows: Flows
    redirect_uris: frozenset[str]
    issuer: str

    async def start(self, provider: str, client: ClientRequest) -> str:
        """Return the URL to open in the user's browser.

        :raises Invalid: the redirect URI is not allowed.
        :raises ServiceError: as `Flows.start`.
        """
        if (
            client.redirect_uri not in self.redirect_uris
            and _without_port(client.redirect_uri) not in self.redirect_uris
        ):
            raise invalid_field("redirect_uri", "must be one of the redirect URIs in AUTH_REDIRECT_URIS")
        context = FlowContext(provider, "client", "/", client=client)
        return (await self.flows.start(context)).authorization_url

    async def complete(self, client: ClientRequest, user_id: UUID, provider: str) -> str:
        """Return the redirect with a code for a user who signed in at the provider."""
        code = secrets.token_urlsafe(32)
        await self.database.run(_store, code, user_id, provider, client.code_challenge)
        return self._redirect(client, code=code)

    def fail(self, client: ClientRequest, error: str, description: str) -> str:
        """Return the redirect with an error.

        :param error: our code of it.
        """
        return self._redirect(client, error=ERRORS.get(error, "server_error"), error_description=description)

    async def redeem(self, code: str, verifier: str) -> tuple[User, str]:
        """Return the user and the provider of a code, which does not work again, whatever the verifier is.

        :raises GrantRefused: the code is unknown, used or expired, or the verifier is another client's.
        """
        found = await self.database.run(_take, code)
        if found is None or not hmac.compare_digest(challenge_of(verifier), found.code_challenge):
            raise GrantRefused
        user = await User.get_or_none(found.user_id)
        if user is None:
            raise GrantRefused
        return user, found.provider

    def _redirect(self, client: ClientRequest, **parameters: str) -> str:
        if client.state is not None:
            parameters["state"] = client.state
        parameters["iss"] = self.issuer
        separator = "&" if urlsplit(client.redirect_uri).query else "?"
        return f"{client.redirect_uri}{separator}{urlencode(parameters)}"


async def sweep_codes() -> int:
    """Delete expired codes. Returns how many."""
    return await sweep(OAuthCode, expires_at__lt=datetime.now(UTC))


async def _store(code: str, user_id: UUID, provider: str, challenge: str) -> None:
    await OAuthCode.create(
        code_digest=digest(code),
        user_id=user_id,
        provider=provider,
        code_challenge=challenge,
        expires_at=datetime.now(UTC) + LIFETIME,
    )


async def _take(code: str) -> OAuthCode | None:
    """Delete a code and return it, unless it is expired or another request was faster."""
    found = await OAuthCode.filter_by(code_digest=digest(code)).first()
    if found is None or await OAuthCode.filter_by(id=found.id).delete() != 1:
        return None
    return found if found.expires_at > datetime.now(UTC) else None


def _without_port(uri: str) -> str:
    return re.sub(r"^(http://(?:127\.0\.0\.1|\[::1\])):[0-9]{1,5}(?=[/?]|$)", r"\1", uri)
