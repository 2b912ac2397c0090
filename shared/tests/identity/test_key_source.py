"""Signing keys in the database."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.key_source import (
    JWKS_MAX_AGE_S,
    DatabaseKeySource,
    current_signing_key,
    ensure_signing_key,
    rotate_signing_key,
)
from bongsu.identity.models import SigningKeyRow
from bongsu.identity.revocations import RevocationFeed
from bongsu.identity.scopes import SESSION_SCOPES, Role
from bongsu.identity.tokens import TokenIssuer, TokenRefused, TokenSubject, TokenVerifier
from bongsu.identity.vault import SealBroken, Vault
from bongsu.mixins import Database
from bongsu.runtime.errors import Unavailable
from tests.eventually import eventually

ISSUER = "https://api.example.com"
SUBJECT = TokenSubject(uuid.uuid4(), uuid.uuid4(), Role.USER, SESSION_SCOPES, int(time.time()), ("pwd",))


class TestEnsureSigningKey:
    @pytest.mark.usefixtures("each_database")
    async def test_one_key_is_created_when_processes_start_together(self, vault: Vault) -> None:
        kids = await asyncio.gather(*(ensure_signing_key(vault) for _ in range(5)))
        assert len(set(kids)) == 1
        assert await SigningKeyRow.row_count() == 1

    @pytest.mark.usefixtures("database")
    async def test_first_key_signs_immediately(self, vault: Vault) -> None:
        kid = await ensure_signing_key(vault)
        assert (await current_signing_key(vault)).kid == kid

    @pytest.mark.usefixtures("database")
    async def test_private_key_is_sealed(self, vault: Vault) -> None:
        await ensure_signing_key(vault)
        with pytest.raises(SealBroken):
            await current_signing_key(Vault.parse(Vault.new_key("k9")))


class TestCurrentSigningKey:
    @pytest.mark.usefixtures("database")
    async def test_error_names_the_command_when_there_is_no_key(self, vault: Vault) -> None:
        with pytest.raises(Unavailable, match="bongsu migrate"):
            await current_signing_key(vault)


class TestRotateSigningKey:
    async def test_next_key_is_published_a_cache_lifetime_before_it_signs(
        self, each_database: Database, vault: Vault
    ) -> None:
        first = await ensure_signing_key(vault)
        async with each_database.unit():
            second = await rotate_signing_key(vault)
        source = DatabaseKeySource()
        await source.refresh()
        assert {key["kid"] for key in source.jwks()} == {first, second}
        assert (await current_signing_key(vault)).kid == first
        row = await SigningKeyRow.get(kid=second)
        assert row.signs_from > datetime.now(UTC) + timedelta(seconds=JWKS_MAX_AGE_S)

    async def test_every_returned_key_exists_when_processes_rotate_together(
        self, each_database: Database, vault: Vault
    ) -> None:
        first = await ensure_signing_key(vault)
        connected = asyncio.Barrier(4)

        async def rotated() -> str:
            await each_database.ping()  # each has a connection, so that they meet
            await connected.wait()
            async with each_database.unit():
                return await rotate_signing_key(vault)

        kids = await asyncio.gather(*(rotated() for _ in range(4)))
        assert {first, *kids} == set(await SigningKeyRow.query().pluck("kid"))

    async def test_old_tokens_verify_after_the_rotation(self, database: Database, vault: Vault) -> None:
        await ensure_signing_key(vault)
        token = TokenIssuer(ISSUER).issue(await current_signing_key(vault), SUBJECT)
        async with database.unit():
            second = await rotate_signing_key(vault, lead=timedelta(0))
        source = DatabaseKeySource()
        verifier = TokenVerifier(ISSUER, source, RevocationFeed())
        assert (await current_signing_key(vault)).kid == second
        assert (await verifier.verify(token)).sub == SUBJECT.user_id

    async def test_old_key_is_trusted_until_its_last_token_has_expired(self, database: Database, vault: Vault) -> None:
        first = await ensure_signing_key(vault)
        async with database.unit():
            second = await rotate_signing_key(vault)
        old, new = await SigningKeyRow.get(kid=first), await SigningKeyRow.get(kid=second)
        assert old.trusted_until is not None
        assert old.trusted_until > new.signs_from + timedelta(minutes=15)


class TestDatabaseKeySource:
    async def test_key_is_not_found_when_it_is_no_longer_trusted(self, database: Database, vault: Vault) -> None:
        kid = await ensure_signing_key(vault)
        row = await SigningKeyRow.get(kid=kid)
        async with database.unit():
            await row.update(trusted_until=datetime.now(UTC) - timedelta(seconds=1))
        source = DatabaseKeySource()
        await source.refresh()
        assert source.find(kid) is None
        assert source.jwks() == []

    async def test_removed_key_is_not_trusted_after_a_refresh(self, database: Database, vault: Vault) -> None:
        await ensure_signing_key(vault)
        token = TokenIssuer(ISSUER).issue(await current_signing_key(vault), SUBJECT)
        source = DatabaseKeySource()
        verifier = TokenVerifier(ISSUER, source, RevocationFeed())
        await verifier.verify(token)
        async with database.unit():
            await SigningKeyRow.filter_by(generation=1).delete()
        await source.refresh()
        with pytest.raises(TokenRefused):
            await verifier.verify(token)

    @pytest.mark.parametrize("trouble", [asyncio.Event().wait, NotImplementedError])
    async def test_polling_continues_when_a_poll_hangs_or_fails(
        self, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[], Awaitable[bool]]
    ) -> None:
        del database
        source = DatabaseKeySource(poll_every_s=0.01, poll_timeout_s=1.0)
        refresh, troubles = source.refresh, [trouble]

        async def troubled_once() -> None:
            while troubles:
                raised = troubles.pop()()
                if isinstance(raised, Exception):
                    raise raised
                await raised
            await refresh()

        monkeypatch.setattr(source, "refresh", troubled_once)
        kid = await ensure_signing_key(vault)
        async with source.following():
            await eventually(lambda: source.find(kid) is not None)

    async def test_known_keys_stay_trusted_while_the_database_is_down(self, database: Database, vault: Vault) -> None:
        kid = await ensure_signing_key(vault)
        source = DatabaseKeySource(poll_every_s=0.01)
        async with source.following():
            await database.dispose()
            await asyncio.sleep(0.05)  # a few polls that fail
            assert source.find(kid) is not None
