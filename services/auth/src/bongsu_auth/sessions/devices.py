"""The cookie by which a browser shows that a user signed in from it before."""

from dataclasses import dataclass
from uuid import UUID

from bongsu.identity.vault import SealBroken, Vault

MAX_AGE_S = 365 * 24 * 3600
_CONTEXT = "auth.device"


@dataclass(frozen=True, slots=True)
class Devices:
    """Seals and opens device cookies."""

    vault: Vault

    def seal(self, user_id: UUID) -> str:
        """Return the cookie for a browser in which a user signed in."""
        return self.vault.seal(str(user_id), aad=_CONTEXT)

    def open(self, cookie: str | None) -> UUID | None:
        """Return the user who signed in from this browser before."""
        try:
            return UUID(self.vault.open_text(cookie, aad=_CONTEXT)) if cookie is not None else None
        except (SealBroken, ValueError):
            return None
