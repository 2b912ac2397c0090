"""The signing keys in the database: where verifiers find the public half, and auth the private one."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import SQLAlchemyError

from bongsu.identity.models import SigningKeyRow
from bongsu.identity.tokens import MAX_LIFETIME_S, SigningKey, public_jwk
from bongsu.identity.vault import Vault
from bongsu.mixins import MixinError
from bongsu.runtime.background import in_background
from bongsu.runtime.errors import Unavailable
from bongsu.runtime.logging import get_logger

log = get_logger(__name__)

JWKS_MAX_AGE_S = 300
"""How long others may keep the published keys; a new key signs no earlier than this after it is published."""

POLL_EVERY_S = 2.0
POLL_TIMEOUT_S = 5.0
"""How long a poll may take: as for revocations, a connection may have gone silent."""
_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Known:
    key: Ed25519PublicKey
    trusted_until: datetime | None


class DatabaseKeySource:
    """The public keys of the table, kept in memory. Satisfies `jws.KeySource`.

    While the database is down, the keys that are known go on being trusted.
    """

    def __init__(self, *, poll_every_s: float = POLL_EVERY_S) -> None:
        self._poll_every_s = poll_every_s
        self._known: dict[str, _Known] = {}

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key of that id, unless it is unknown, was removed, or is past its time."""
        known = self._known.get(kid)
        if known is None or (known.trusted_until is not None and known.trusted_until <= datetime.now(UTC)):
            return None
        return known.key

    async def refresh(self) -> None:
        """Reads the table; raises what the database raises."""
        rows = await SigningKeyRow.filter_by().all()
        self._known = {row.kid: _Known(_public_key(row), row.trusted_until) for row in rows}

    def jwks(self) -> list[dict[str, str]]:
        """Every key that is trusted or will be, as JWKs."""
        return [public_jwk(kid, key) for kid in sorted(self._known) if (key := self.find(kid)) is not None]

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Reads the table in the background for as long as the block runs, at first once, whose failure is no error."""
        await self._refresh_once()
        async with in_background(self._follow(), name="signing keys"):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_every_s)
            await self._refresh_once()

    async def _refresh_once(self) -> None:
        try:
            # The database log has each failure.
            with contextlib.suppress(SQLAlchemyError, MixinError, OSError):
                async with asyncio.timeout(POLL_TIMEOUT_S):
                    await self.refresh()
        except Exception:
            # A poller that ended by a defect would miss every key from then on.
            log.exception("signing_keys.poll_failed")


async def ensure_signing_key(vault: Vault) -> str:
    """Makes the first signing key where there is none; the id of the newest. Safe from several processes at once."""
    newest = await SigningKeyRow.filter_by().order_by("-generation").first()
    if newest is None:
        newest = await _add(vault, generation=1, signs_from=datetime.now(UTC) - _MARGIN)
    return newest.kid


async def rotate_signing_key(vault: Vault, *, lead: timedelta = timedelta(seconds=JWKS_MAX_AGE_S) + _MARGIN) -> str:
    """Makes the next signing key; its id. Open a unit of work around it.

    It is published now and signs after `lead`; the one before it is trusted until the last token that it signed has
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
    """The key that signs now.

    :raises Unavailable: there is none yet; `bongsu migrate` makes it.
    :raises SealBroken: the vault lacks the key under which it is sealed.
    """
    row = await SigningKeyRow.filter_by(signs_from__lte=datetime.now(UTC)).order_by("-generation").first()
    if row is None:
        raise Unavailable("There is no signing key yet; run `bongsu migrate`", code="no_signing_key", retry_after_s=5)
    raw = vault.open(row.sealed_private_key, aad=_context(row.kid))
    return SigningKey(row.kid, Ed25519PrivateKey.from_private_bytes(raw))


async def _add(vault: Vault, *, generation: int, signs_from: datetime) -> SigningKeyRow:
    key = SigningKey.generate()
    public = base64.urlsafe_b64encode(key.private_key.public_key().public_bytes_raw()).decode()
    # Another process may make this generation at the same moment: then its key is the one.
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
