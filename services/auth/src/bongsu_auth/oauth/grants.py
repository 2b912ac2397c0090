"""The tokens of linked accounts: stored sealed, used, and renewed once if the provider rejects them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from bongsu.identity.models import LinkedAccount
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database
from bongsu_auth.oauth.port import Grant, Provider, TokenRejected

T = TypeVar("T")

RENEWED_BEFORE = timedelta(seconds=60)
"""How long before its expiry a token is renewed."""


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
        token = self.access_token(linked)
        if token is None:
            raise GrantLost
        if linked.token_expires_at is None or linked.token_expires_at > datetime.now(UTC) + RENEWED_BEFORE:
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
        """Return a newer access token than the one that was used. Another request may have stored it already."""
        linked = await LinkedAccount.get_or_none(used.id)
        if linked is None:
            raise GrantLost
        token = self.access_token(linked)
        if token is not None and linked.sealed_access_token != used.sealed_access_token:
            return token
        refresh_token = self._open(linked.sealed_refresh_token, _refresh(linked.id))
        if refresh_token is None:
            await self._drop(linked)
            raise GrantLost
        try:
            grant = await provider.renew(refresh_token)
        except TokenRejected:
            # A refresh token works once. If a replica was faster, the row has the new tokens.
            return await self._reread_or_drop(linked)
        await self._database.run(self._store, linked, grant)
        return grant.access_token

    async def _reread_or_drop(self, linked: LinkedAccount) -> str:
        again = await LinkedAccount.get_or_none(linked.id)
        if again is not None and again.sealed_refresh_token != linked.sealed_refresh_token:
            token = self.access_token(again)
            if token is not None:
                return token
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


def _access(linked_id: UUID) -> str:
    return f"linked_accounts.access_token:{linked_id}"


def _refresh(linked_id: UUID) -> str:
    return f"linked_accounts.refresh_token:{linked_id}"
