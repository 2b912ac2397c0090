"""The rotation of the keys that sign tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.identity import audit
from bongsu.identity.key_source import rotate_signing_key
from bongsu.identity.models import SigningKeyRow
from bongsu.identity.vault import Vault
from bongsu.mixins import Database


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Creates the next key when the newest one is old. Any replica may run it.

    :param max_age: how long a key is the newest one.
    """

    database: Database
    vault: Vault
    max_age: timedelta

    async def rotate_when_old(self) -> int:
        """Create the next key if it is time. Returns how many were created."""
        if not self._is_due(await SigningKeyRow.query().order_by("-generation").first()):
            return 0
        return await self.database.run(self._rotate)

    async def _rotate(self) -> int:
        newest = SigningKeyRow.query().order_by("-generation")
        before = await newest.first()
        if before is not None:
            # The replicas wait here for one another: the one that is last finds the key of the first.
            await SigningKeyRow.filter_by(id=before.id).lock().first()
        if not self._is_due(await newest.lock().first()):
            return 0
        await rotate(self.vault)
        return 1

    def _is_due(self, newest: SigningKeyRow | None) -> bool:
        return newest is not None and newest.signs_from <= datetime.now(UTC) - self.max_age


async def rotate(vault: Vault) -> str:
    """Create the next key, in the caller's unit of work. Returns its ID."""
    kid = await rotate_signing_key(vault)
    await audit.record("signing_key.rotated", target=f"signing_key:{kid}")
    return kid
