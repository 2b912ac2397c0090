"""The cookie by which a browser shows that a user signed in from it before."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from bongsu.identity.vault import SealBroken, Vault

MAX_AGE_S = 365 * 24 * 3600
_CONTEXT = "auth.device"


@dataclass(frozen=True, slots=True)
class Device:
    """A browser in which a user signed in."""

    id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Devices:
    """Seals and opens device cookies."""

    vault: Vault

    def seal(self, user_id: UUID, known: Device | None) -> str:
        """Return the cookie for a browser in which a user signed in, of the same device if it is theirs."""
        device_id = known.id if known is not None and known.user_id == user_id else uuid4()
        return self.vault.seal(f"{user_id.hex}{device_id.hex}", aad=_CONTEXT)

    def open(self, cookie: str | None) -> Device | None:
        """Return the device of a cookie; None without a genuine one."""
        try:
            text = self.vault.open_text(cookie, aad=_CONTEXT) if cookie is not None else ""
            return Device(user_id=UUID(text[:32]), id=UUID(text[32:]))
        except (SealBroken, ValueError):
            return None
