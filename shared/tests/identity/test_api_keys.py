"""API keys as the verifier of signed requests finds them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.identity.api_keys import KEPT_FOR_S, KeyDirectory, secret_context
from bongsu.identity.models import AllowlistEntry, ApiKey, User
from bongsu.identity.scopes import KEY_SCOPES, Role
from bongsu.identity.vault import Vault
from shared.tests.identity.seeds import SECRET, Seeds


class TestFind:
    @pytest.mark.usefixtures("each_database")
    async def test_key_comes_with_its_owner_and_secret(self, seeds: Seeds, vault: Vault) -> None:
        user = await seeds.user(role=Role.STAFF)
        key = await seeds.key(user.id)
        await AllowlistEntry.create(key_id=key.id, cidr="203.0.113.0/24")
        found = await KeyDirectory(vault).find("bak_test")
        assert found is not None
        assert (found.id, found.user_id, found.role, found.mode) == (key.id, user.id, Role.STAFF, "live")
        assert (found.secrets, found.scopes) == ((SECRET,), KEY_SCOPES)
        assert found.is_usable_from("203.0.113.7")
        assert not found.is_usable_from("203.0.114.7")
        assert not found.is_usable_from(None)

    @pytest.mark.usefixtures("database")
    async def test_key_works_from_every_address_when_its_allowlist_is_empty(self, seeds: Seeds, vault: Vault) -> None:
        await seeds.key((await seeds.user()).id)
        found = await KeyDirectory(vault).find("bak_test")
        assert found is not None
        assert found.is_usable_from("203.0.113.7")
        assert found.is_usable_from(None)

    @pytest.mark.usefixtures("each_database")
    @pytest.mark.parametrize("access_key", ["bak_TEST", "bak_test ", "bak_tést", "bak_other", ""])
    async def test_key_is_not_found_when_the_spelling_differs(
        self, seeds: Seeds, vault: Vault, access_key: str
    ) -> None:
        await seeds.key((await seeds.user()).id)
        assert await KeyDirectory(vault).find(access_key) is None

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda key, _user: key.fill(status="stopped"), id="stopped"),
            pytest.param(lambda key, _user: key.fill(expires_at=datetime.now(UTC)), id="expired"),
            pytest.param(lambda _key, user: user.fill(status="blocked"), id="its owner is blocked"),
        ],
    )
    async def test_key_is_not_found_when_it_is_inactive(
        self, seeds: Seeds, vault: Vault, spoil: Callable[[ApiKey, User], bool]
    ) -> None:
        user = await seeds.user()
        key = await seeds.key(user.id)
        spoil(key, user)
        await key.save()
        await user.save()
        assert await KeyDirectory(vault).find("bak_test") is None

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize(("minutes", "secrets"), [(5, (SECRET, "bsk_before")), (-5, (SECRET,))])
    async def test_previous_secret_works_during_the_overlap_after_a_rotation(
        self, seeds: Seeds, vault: Vault, minutes: int, secrets: tuple[str, ...]
    ) -> None:
        key = await seeds.key((await seeds.user()).id)
        await key.update(
            sealed_previous_secret=vault.seal("bsk_before", aad=secret_context(key.id)),
            previous_until=datetime.now(UTC) + timedelta(minutes=minutes),
        )
        found = await KeyDirectory(vault).find("bak_test")
        assert found is not None
        assert found.secrets == secrets


class TestCachedKeys:
    @pytest.mark.usefixtures("database")
    async def test_change_works_when_the_cache_has_expired(self, seeds: Seeds, vault: Vault) -> None:
        now = [0.0]
        directory = KeyDirectory(vault, monotonic=lambda: now[0])
        key = await seeds.key((await seeds.user()).id)
        assert await directory.find("bak_test") is not None
        await key.update(status="stopped")
        assert await directory.find("bak_test") is not None
        now[0] = KEPT_FOR_S
        assert await directory.find("bak_test") is None

    @pytest.mark.usefixtures("database")
    async def test_key_is_read_again_when_it_was_forgotten(self, seeds: Seeds, vault: Vault) -> None:
        directory = KeyDirectory(vault)
        key = await seeds.key((await seeds.user()).id)
        await directory.find("bak_test")
        await key.update(status="stopped")
        directory.forget("bak_test")
        assert await directory.find("bak_test") is None
