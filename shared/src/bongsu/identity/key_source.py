"""The signing keys in the database: the public halves for verifiers, the private ones for auth."""

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bongsu.identity.models import SigningKeyRow
from bongsu.identity.polling import POLL_TIMEOUT_S, polling
from bongsu.identity.tokens import MAX_LIFETIME_S, SigningKey, public_jwk
from bongsu.identity.vault import Vault
from bongsu.runtime.errors import Unavailable

JWKS_MAX_AGE_S = 300
"""How long clients may cache the published keys; a new key signs no earlier than this after it is published."""

POLL_EVERY_S = 2.0
_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Known:
    key: Ed25519PublicKey
    trusted_until: datetime | None


class DatabaseKeySource:
    """The public keys of the table, kept in memory. Satisfies `jws.KeySource`.

    While the database is down, the known keys stay trusted.
    """

    def __init__(self, *, poll_every_s: float = POLL_EVERY_S, poll_timeout_s: float = POLL_TIMEOUT_S) -> None:
        self._poll_every_s = poll_every_s
        self._poll_timeout_s = poll_timeout_s
        self._known: dict[str, _Known] = {}

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """Return a key, or None where it is unknown, was removed or is no longer trusted."""
        known = self._known.get(kid)
        if known is None or (known.trusted_until is not None and known.trusted_until <= datetime.now(UTC)):
            return None
        return known.key

    async def refresh(self) -> None:
        """Read the table; raises what the database raises."""
        rows = await SigningKeyRow.filter_by().all()
        self._known = {row.kid: _Known(_public_key(row), row.trusted_until) for row in rows}

    def jwks(self) -> list[dict[str, str]]:
        """Return every key that is or will be trusted, as JWKs."""
        return [public_jwk(kid, key) for kid in sorted(self._known) if (key := self.find(kid)) is not None]

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Read the table once, whatever comes of it, then in the background until the block ends."""
        async with polling(
            self.refresh, name="signing_keys", every_s=self._poll_every_s, timeout_s=self._poll_timeout_s
        ):
            yield


async def ensure_signing_key(vault: Vault) -> str:
    """Create the first signing key if the table is empty; return the id of the newest. Safe in concurrent processes."""
    newest = await SigningKeyRow.filter_by().order_by("-generation").first()
    if newest is None:
        newest = await _add(vault, generation=1, signs_from=datetime.now(UTC) - _MARGIN)
    return newest.kid


async def rotate_signing_key(vault: Vault, *, lead: timedelta = timedelta(seconds=JWKS_MAX_AGE_S) + _MARGIN) -> str:
    """Create the next signing key, in the caller's unit of work; return its id.

    It is published now and signs after `lead`. The key before it stays trusted until the last token that it signed has
    expired.
    """
    before = await SigningKeyRow.filter_by().order_by("-generation").first()
    if before is None:
        return await ensure_signing_key(vault)
    signs_from = datetime.now(UTC) + lead
    made = await _add(vault, generation=before.generation + 1, signs_from=signs_from)
    if made.signs_from >= signs_from:
        await before.update(trusted_until=made.signs_from + timedelta(seconds=MAX_LIFETIME_S) + _MARGIN)
    return made.kid


async def current_signing_key(vault: Vault) -> SigningKey:
    """Return the key that signs now.

    :raises Unavailable: the table is empty; `bongsu migrate` creates the first key.
    :raises SealBroken: the vault does not have the key that encrypted it.
    """
    row = await SigningKeyRow.filter_by(signs_from__lte=datetime.now(UTC)).order_by("-generation").first()
    if row is None:
        raise Unavailable("There is no signing key yet. Run `bongsu migrate`.", code="no_signing_key", retry_after_s=5)
    raw = vault.open(row.sealed_private_key, aad=_context(row.kid))
    return SigningKey(row.kid, Ed25519PrivateKey.from_private_bytes(raw))


async def _add(vault: Vault, *, generation: int, signs_from: datetime) -> SigningKeyRow:
    key = SigningKey.generate()
    public = base64.urlsafe_b64encode(key.private_key.public_key().public_bytes_raw()).decode()
    # Another process may create this generation at the same moment: then its key is used.
    row, _ = await SigningKeyRow.get_or_create(
        {
            "kid": key.kid,
            "public_key": public,
            "sealed_private_key": vault.seal(key.private_key.private_bytes_raw(), aad=_context(key.kid)),
            "signs_from": signs_from,
        },
        generation=generation,
    )
    return row


def _context(kid: str) -> str:
    return f"signing_keys.private_key:{kid}"


def _public_key(row: SigningKeyRow) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(row.public_key))
