"""The tokens that providers gave us: kept sealed, used, renewed once when they are refused."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from bongsu.identity.models import LinkedAccount
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database
from bongsu_auth.oauth.port import Grant, Provider, TokenRejected

T = TypeVar("T")

EARLY = timedelta(seconds=60)
"""A token is renewed this long before it expires."""


class GrantLost(Exception):
    """The provider no longer honours what the user allowed: they have to allow it again."""


class Grants:
    """Keeps the tokens of linked accounts.

    :param database: each use reads and writes by itself: no transaction is open while a provider is asked.
    """

    def __init__(self, vault: Vault, database: Database) -> None:
        self._vault = vault
        self._database = database

    def sealed(self, linked_id: UUID, grant: Grant) -> dict[str, object]:
        """The columns of a linked account that hold a grant."""
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
        """The account's access token, however old; None where there is none that can be used."""
        return self._open(linked.sealed_access_token, _access(linked.id))

    async def use(self, linked: LinkedAccount, provider: Provider, call: Callable[[str], Awaitable[T]]) -> T:
        """Does something with an account's access token, renewing it once where it is too old or refused.

        :raises GrantLost: it cannot be renewed.
        :raises ProviderFailed: what `call` raises.
        """
        token = self.access_token(linked)
        if token is None:
            raise GrantLost
        if linked.token_expires_at is None or linked.token_expires_at > datetime.now(UTC) + EARLY:
            try:
                return await call(token)
            except TokenRejected:
                pass
        token = await self._renew(linked, provider)
        try:
            return await call(token)
        except TokenRejected:
            raise GrantLost from None

    async def _renew(self, used: LinkedAccount, provider: Provider) -> str:
        """A newer access token than the one that was used; another request may have got it already."""
        linked = await LinkedAccount.get_or_none(used.id)
        if linked is None:
            raise GrantLost
        token = self.access_token(linked)
        if token is not None and linked.sealed_access_token != used.sealed_access_token:
            return token
        refresh_token = self._open(linked.sealed_refresh_token, _refresh(linked.id))
        if refresh_token is None:
            await self._lose(linked)
            raise GrantLost
        try:
            grant = await provider.renew(refresh_token)
        except TokenRejected:
            # A refresh token works once: a replica may have been faster, and then the row has the new tokens.
            return await self._newer_or_lost(linked)
        await self._database.run(lambda: self._keep(linked, grant))
        return grant.access_token

    async def _newer_or_lost(self, linked: LinkedAccount) -> str:
        again = await LinkedAccount.get_or_none(linked.id)
        if again is not None and again.sealed_refresh_token != linked.sealed_refresh_token:
            token = self.access_token(again)
            if token is not None:
                return token
        await self._lose(linked)
        raise GrantLost

    async def _keep(self, linked: LinkedAccount, grant: Grant) -> None:
        same = LinkedAccount.filter_by(id=linked.id, sealed_refresh_token=linked.sealed_refresh_token)
        await same.update(**self.sealed(linked.id, grant))

    async def _lose(self, linked: LinkedAccount) -> None:
        # Only the tokens that were tried: the user may have allowed it anew a moment ago.
        same = LinkedAccount.filter_by(id=linked.id, sealed_access_token=linked.sealed_access_token)
        await same.update(sealed_access_token=None, sealed_refresh_token=None, token_expires_at=None)

    def _open(self, sealed: str | None, context: str) -> str | None:
        if sealed is None:
            return None
        try:
            return self._vault.open_text(sealed, aad=context)
        except SealBroken:
            return None


def _access(linked_id: UUID) -> str:
    return f"linked_accounts.access_token:{linked_id}"


def _refresh(linked_id: UUID) -> str:
    return f"linked_accounts.refresh_token:{linked_id}"
