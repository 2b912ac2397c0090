"""Whether the vault is the one with which the database was sealed."""

from bongsu.identity.key_source import current_signing_key
from bongsu.identity.vault import SealBroken, Vault
from bongsu.runtime.errors import StartError, Unavailable


async def require_opens(vault: Vault) -> None:
    """Refuse to start with a vault that does not open the signing key; without one nothing is sealed yet.

    :raises StartError: it does not: every sign-in and every signed request would fail.
    """
    try:
        await current_signing_key(vault)
    except Unavailable:
        return
    except SealBroken as error:
        raise StartError(
            "The vault key does not open what is in the database: put back the key that it was made with "
            "(BONGSU_VAULT_KEYS, or vault.key in the data folder)"
        ) from error
