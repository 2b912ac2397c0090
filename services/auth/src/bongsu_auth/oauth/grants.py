"""The tokens of linked accounts: stored sealed, used, and renewed once if the provider rejects them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from bongsu.identity.models import LinkedAccount
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database, Q
from bongsu_auth.digests import digest
from bongsu_auth.oauth.port import Grant, Provider, ProviderUnavailable, TokenRejected

T = TypeVar("T")

RENEWED_BEFORE = timedelta(seconds=60)
"""How long before its expiry a token is renewed."""
LEASE = timedelta(seconds=75)
"""How long a replica has to renew a token: longer than a request to a provider may take by the settings."""
TURN_S = 10.0
"""How long others wait for it."""
POLL_S = 0.1


class GrantLost(Exception):
    """The provider no longer accepts the tokens: the user has to link the account again."""


class Grants:
    """Seals, uses and renews the tokens of linked accounts.

    :param database: `use` opens its own units of work: no transaction is open during a request to a provider.
    """

    def __init__(self, vault: Vault, database: Database) -> None:
        self._vault = vault
        self._database = database

    def seal(self, linked_id: UUID, grant: Grant) -> dict[str, object]:
        """Return the columns of a linked account that store a grant."""
        values: dict[str, object] = {
            "sealed_access_token": self._vault.seal(grant.access_token, aad=_access(linked_id)),
            "token_expires_at": grant.expires_at,
        }
        if grant.scopes is not None:
            values["scopes"] = " ".join(grant.scopes)
        if grant.refresh_token is not None:
            values["sealed_refresh_token"] = self._vault.seal(grant.refresh_token, aad=_refresh(linked_id))
        return values

    def access_token(self, linked: LinkedAccount) -> str | None:
        """Return the account's access token, however old; None if it is missing or cannot be opened."""
        return self._open(linked.sealed_access_token, _access(linked.id))

    async def use(self, linked: LinkedAccount, provider: Provider, call: Callable[[str], Awaitable[T]]) -> T:
        """Call with an account's access token; renew it once if it is too old or rejected.

        :raises GrantLost: it cannot be renewed.
        :raises ProviderFailed: what `call` raises.
        """
        token, _ = await self.fetch(linked, provider)
        try:
            return await call(token)
        except TokenRejected:
            pass
        token, _ = await self.fetch(linked, provider, rejected_sha256=digest(token))
        try:
            return await call(token)
        except TokenRejected:
            raise GrantLost from None

    async def fetch(
        self, linked: LinkedAccount, provider: Provider, *, rejected_sha256: str | None = None
    ) -> tuple[str, datetime | None]:
        """Return an account's access token and its expiry; renew it if it is too old, or the rejected one.

        Renewals of one account take turns, in any number of replicas: a refresh token may work only once.

        :param rejected_sha256: of a token that the provider rejected, in hex.
        :raises GrantLost: it cannot be renewed.
        :raises ProviderFailed: the provider does not renew it, or another renewal takes too long.
        """
        deadline = time.monotonic() + TURN_S
        while True:
            token = self.access_token(linked)
            if token is None:
                raise GrantLost
            if not _is_old(linked) and digest(token) != rejected_sha256:
                return token, linked.token_expires_at
            lease = datetime.now(UTC) + LEASE
            if await self._claim(linked, lease):
                try:
                    return await self._renew(linked, provider)
                finally:
                    await LinkedAccount.filter_by(id=linked.id, token_renewal_until=lease).update(
                        token_renewal_until=None
                    )
            if time.monotonic() > deadline:
                raise ProviderUnavailable(f"another renewal at {provider.name} takes too long")
            await asyncio.sleep(POLL_S)
            linked = await self._reread(linked)

    async def _claim(self, linked: LinkedAccount, until: datetime) -> bool:
        """Take the turn to renew these very tokens."""
        is_free = Q(token_renewal_until__isnull=True) | Q(token_renewal_until__lt=datetime.now(UTC))
        same = LinkedAccount.filter_by(
            is_free,
            id=linked.id,
            sealed_access_token=linked.sealed_access_token,
            token_expires_at=linked.token_expires_at,
        )
        return await same.update(token_renewal_until=until) == 1

    async def _renew(self, linked: LinkedAccount, provider: Provider) -> tuple[str, datetime | None]:
        refresh_token = self._open(linked.sealed_refresh_token, _refresh(linked.id))
        if refresh_token is None:
            await self._drop(linked)
            raise GrantLost
        try:
            grant = await provider.renew(refresh_token)
        except TokenRejected:
            # If a slow replica's turn ran out, the row may have the new tokens by now.
            return await self._reread_or_drop(linked)
        await self._database.run(self._store, linked, grant)
        return grant.access_token, grant.expires_at

    async def _reread(self, linked: LinkedAccount) -> LinkedAccount:
        again = await LinkedAccount.get_or_none(linked.id)
        if again is None:
            raise GrantLost
        return again

    async def _reread_or_drop(self, linked: LinkedAccount) -> tuple[str, datetime | None]:
        again = await self._reread(linked)
        token = self.access_token(again)
        if token is not None and again.sealed_refresh_token != linked.sealed_refresh_token:
            return token, again.token_expires_at
        await self._drop(linked)
        raise GrantLost

    async def _store(self, linked: LinkedAccount, grant: Grant) -> None:
        same = LinkedAccount.filter_by(id=linked.id, sealed_refresh_token=linked.sealed_refresh_token)
        await same.update(**self.seal(linked.id, grant))

    async def _drop(self, linked: LinkedAccount) -> None:
        # Only the tokens that were tried: the user may just have linked the account again.
        same = LinkedAccount.filter_by(id=linked.id, sealed_access_token=linked.sealed_access_token)
        await same.update(sealed_access_token=None, sealed_refresh_token=None, token_expires_at=None)

    def _open(self, sealed: str | None, context: str) -> str | None:
        if sealed is None:
            return None
        try:
            return self._vault.open_text(sealed, aad=context)
        except SealBroken:
            return None


def _is_old(linked: LinkedAccount) -> bool:
    return linked.token_expires_at is not None and linked.token_expires_at <= datetime.now(UTC) + RENEWED_BEFORE


def _access(linked_id: UUID) -> str:
    return f"linked_accounts.access_token:{linked_id}"


def _refresh(linked_id: UUID) -> str:
    return f"linked_accounts.refresh_token:{linked_id}"
