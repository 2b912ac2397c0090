"""API keys as the verifier of signed requests needs them: with owner, secrets and allow-list."""

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bongsu.identity.models import AllowlistEntry, ApiKey, KeyMode, User
from bongsu.identity.scopes import Role, Scope, parse_scopes
from bongsu.identity.vault import Vault
from bongsu.runtime.networks import IPNetwork, is_within, parse_network

KEPT_FOR_S = 2.0
"""How long a key is cached: a change works everywhere within this time."""

_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An active key of an active user.

    :param role: the owner's.
    :param secrets: the secret, and the previous one during the overlap after a rotation.
    :param networks: the allow-list; empty means any address.
    :param off_trial: whether the owner's account may send to anyone.
    """

    id: UUID
    user_id: UUID
    role: Role
    scopes: frozenset[Scope]
    mode: KeyMode
    secrets: tuple[str, ...]
    networks: tuple[IPNetwork, ...]
    off_trial: bool

    def is_usable_from(self, address: str | None) -> bool:
        """Whether the allow-list contains the address. An empty one allows every address, even an unknown one."""
        return not self.networks or is_within(address, self.networks)


def secret_context(key_id: UUID) -> str:
    """The vault's context (AAD) for a key's secrets."""
    return f"api_keys.secret:{key_id}"


class KeyDirectory:
    """Finds keys by their access key, and caches for `KEPT_FOR_S` what it found and what does not exist.

    :param vault: decrypts the secrets.
    :param monotonic: a clock that never goes back, in seconds.
    """

    def __init__(self, vault: Vault, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._vault = vault
        self._monotonic = monotonic
        self._found: OrderedDict[str, tuple[float, KnownKey | None]] = OrderedDict()
        self._flights: dict[str, asyncio.Task[KnownKey | None]] = {}

    async def find(self, access_key: str) -> KnownKey | None:
        """Return the key, or None where it is unknown, stopped or expired, or its owner is blocked."""
        kept = self._found.get(access_key)
        if kept is not None and self._monotonic() - kept[0] < KEPT_FOR_S:
            return kept[1]
        flight = self._flights.get(access_key)
        if flight is None:
            # Concurrent requests share one query. It is a task, so that a cancelled request does not end it for the
            # others, with an empty context, so that it joins no request's unit of work.
            flight = asyncio.create_task(self._read(access_key), name="api key", context=contextvars.Context())
            self._flights[access_key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(access_key, None))
        return await asyncio.shield(flight)

    def forget(self, access_key: str) -> None:
        """Read this key again at its next use, after this process changed it."""
        self._found.pop(access_key, None)

    async def _read(self, access_key: str) -> KnownKey | None:
        started_at = self._monotonic()
        found = await self._load(access_key)
        self._found[access_key] = (started_at, found)
        self._found.move_to_end(access_key)
        if len(self._found) > _CACHE_SIZE:
            self._found.popitem(last=False)
        return found

    async def _load(self, access_key: str) -> KnownKey | None:
        if not access_key.isascii() or access_key != access_key.strip():
            return None
        key = await ApiKey.filter_by(access_key=access_key).first()
        now = datetime.now(UTC)
        if key is None or key.status != "active" or (key.expires_at is not None and key.expires_at <= now):
            return None
        user = await User.get_or_none(key.user_id)
        if user is None or not user.is_active:
            return None
        entries = await AllowlistEntry.filter_by(key_id=key.id).all()
        sealed = [key.sealed_secret]
        if key.sealed_previous_secret is not None and key.previous_until is not None and key.previous_until > now:
            sealed.append(key.sealed_previous_secret)
        return KnownKey(
            id=key.id,
            user_id=key.user_id,
            role=Role(user.role),
            scopes=parse_scopes(key.scopes),
            mode=key.mode,
            secrets=tuple(self._vault.open_text(text, aad=secret_context(key.id)) for text in sealed),
            networks=tuple(parse_network(entry.cidr) for entry in entries),
            off_trial=user.sending == "live",
        )
