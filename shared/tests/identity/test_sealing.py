"""Whether the vault is the database's."""

import pytest

from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.sealing import require_opens
from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError


class TestRequireOpens:
    @pytest.mark.usefixtures("database")
    async def test_a_database_without_a_signing_key_fits_every_vault(self, vault: Vault) -> None:
        await require_opens(vault)

    @pytest.mark.usefixtures("database")
    async def test_the_vault_that_sealed_it_fits(self, vault: Vault) -> None:
        await ensure_signing_key(vault)
        await require_opens(vault)

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize("key_id", ["k1", "another"])
    async def test_another_key_is_refused_whatever_its_id(self, key_id: str) -> None:
        await ensure_signing_key(Vault.parse(Vault.new_key("k1")))
        with pytest.raises(StartError, match=r"vault key does not open .* put back the key"):
            await require_opens(Vault.parse(Vault.new_key(key_id)))
