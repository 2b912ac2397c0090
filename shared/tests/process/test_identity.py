import pytest

from bongsu.identity.key_source import ensure_signing_key
from bongsu.identity.vault import Vault
from bongsu.process.identity import require_vault_opens
from bongsu.runtime.errors import StartError


class TestRequireVaultOpens:
    @pytest.mark.usefixtures("database")
    async def test_every_vault_is_accepted_when_the_database_has_no_signing_key(self, vault: Vault) -> None:
        await require_vault_opens(vault)

    @pytest.mark.usefixtures("database")
    async def test_vault_that_encrypted_the_signing_key_is_accepted(self, vault: Vault) -> None:
        await ensure_signing_key(vault)
        await require_vault_opens(vault)

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize("key_id", ["k1", "another"])
    async def test_vault_with_another_key_is_refused_whatever_its_id(self, key_id: str) -> None:
        await ensure_signing_key(Vault.parse(Vault.new_key("k1")))
        with pytest.raises(StartError, match=r"vault key does not decrypt .* restore the key"):
            await require_vault_opens(Vault.parse(Vault.new_key(key_id)))
