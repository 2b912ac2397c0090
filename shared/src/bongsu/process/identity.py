"""The vault and the identity of a process."""

from bongsu.identity.callers import Identity
from bongsu.identity.key_source import current_signing_key
from bongsu.identity.vault import SealBroken, Vault, VaultKeysWrong
from bongsu.process.lifecycle import Process
from bongsu.runtime.errors import StartError, Unavailable
from bongsu.runtime.settings import PlatformSettings, SettingsError


async def open_vault(process: Process) -> Vault:
    """Read the vault's keys from the settings, and check them against the open database.

    :raises SettingsError: BONGSU_VAULT_KEYS is missing or wrong.
    :raises StartError: they do not decrypt what is in the database.
    """
    vault = read_vault(process.platform)
    await require_vault_opens(vault)
    return vault


def open_identity(process: Process, vault: Vault) -> Identity:
    """The identity of callers at the public URL, behind the trusted proxies; `/readyz` reports its revocations."""
    platform = process.platform
    identity = Identity(
        vault=vault,
        public_url=platform.url,
        trusted_proxies=platform.trusted_proxies,
        cors_origins=platform.cors_origins,
    )

    async def is_fresh() -> bool:
        return identity.revocations.is_fresh

    process.report("revocations", is_fresh)
    return identity


def read_vault(platform: PlatformSettings) -> Vault:
    """The vault with the keys of the settings.

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


async def require_vault_opens(vault: Vault) -> None:
    """Check that the vault decrypts the signing key in the database; a database without one fits every vault.

    :raises StartError: it does not: every sign-in and every signed request would fail.
    """
    try:
        await current_signing_key(vault)
    except Unavailable:
        return
    except SealBroken as error:
        raise StartError(
            "The vault key does not decrypt the data in the database: restore the key that encrypted it "
            "(BONGSU_VAULT_KEYS, or vault.key in the data folder)"
        ) from error
