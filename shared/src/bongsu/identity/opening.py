"""What a service needs to know its callers, from the settings."""

from bongsu.identity.callers import Identity
from bongsu.identity.vault import Vault, VaultKeysWrong
from bongsu.runtime.settings import PlatformSettings, SettingsError


def vault_of(platform: PlatformSettings) -> Vault:
    """The vault with the keys that the settings name.

    :raises SettingsError: BONGSU_VAULT_KEYS is missing or wrong.
    """
    if platform.vault_keys is None:
        raise SettingsError(
            ["BONGSU_VAULT_KEYS is missing (id:base64 of 32 bytes; make one with `openssl rand -base64 32`)"]
        )
    try:
        return Vault.parse(platform.vault_keys.get_secret_value())
    except VaultKeysWrong as error:
        raise SettingsError([f"BONGSU_VAULT_KEYS: {error}"]) from error


def identity_of(platform: PlatformSettings, vault: Vault) -> Identity:
    """Knows callers by the public URL, behind the trusted proxies."""
    return Identity(vault=vault, public_url=platform.url, trusted_proxies=platform.trusted_proxies)
