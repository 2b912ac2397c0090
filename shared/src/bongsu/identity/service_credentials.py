"""Credentials with which a service calls another's `/internal` routes: sealed by the vault, short-lived, used once."""

import time
from collections.abc import Callable
from typing import Literal
from uuid import UUID

from pydantic import ValidationError

from bongsu.contracts.wire import Wire
from bongsu.identity.nonces import Nonces
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import uuid7
from bongsu.runtime.errors import Unauthorised

LIFETIME_S = 30
_CLOCK_SKEW_S = 12
Service = Literal["auth", "notify", "bot"]


class ServiceCredentialRefused(Unauthorised):
    """The credential is missing, expired, used, or of another service."""

    code = "service_credential_refused"
    detail = "This route is for other services of Bongsu"


class _Claims(Wire):
    id: UUID
    service: Service
    issued_at: float


class ServiceCredentials:
    """Issues and verifies credentials. Whoever holds the vault's keys can issue them.

    :param now: the clock, in seconds since 1970.
    """

    def __init__(self, vault: Vault, *, now: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._now = now
        self._nonces = Nonces()

    def issue(self, service: Service, audience: Service) -> str:
        """Return a credential with which a service calls the audience once."""
        claims = _Claims(id=uuid7(), service=service, issued_at=self._now())
        return self._vault.seal(claims.model_dump_json(), aad=_context(audience))

    async def verify(self, credential: str, audience: Service, *, allowed: Service) -> None:
        """Require a credential of the service `allowed`, and use it up.

        :raises ServiceCredentialRefused: it is not valid.
        """
        try:
            claims = _Claims.model_validate_json(self._vault.open(credential, aad=_context(audience)))
        except (SealBroken, ValidationError):
            raise ServiceCredentialRefused from None
        age_s = self._now() - claims.issued_at
        if claims.service != allowed or not -_CLOCK_SKEW_S <= age_s <= LIFETIME_S:
            raise ServiceCredentialRefused
        if not await self._nonces.use("service", str(claims.id)):
            raise ServiceCredentialRefused


def _context(audience: Service) -> str:
    return f"service_credentials:{audience}"
