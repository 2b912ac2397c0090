"""What the one-process mode keeps between runs: its folder, its database file and the key that it made."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError


class StateFolder:
    """`var/`, or what BONGSU_VAR names. Only its owner can read it.

    :raises StartError: it cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / f".writable-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StartError(f"Cannot keep data in {path} ({error.strerror}); set BONGSU_VAR") from error

    @property
    def database_url(self) -> str:
        """The SQLite file."""
        return f"sqlite+aiosqlite:///{self.path / 'bongsu.sqlite3'}"

    @property
    def sandbox(self) -> Path:
        """What the stand-ins keep."""
        return self.path / "sandbox"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: its broker lives in one process, so a second one would send everything again.

        :raises StartError: another process holds it.
        """
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StartError(
                    f"Another Bongsu runs on the data in {self.path}: stop it, or set BONGSU_VAR and PORT for a second"
                ) from error
            yield

    def vault_keys(self) -> str:
        """The key that seals what is in this folder's database: made once, then read."""
        path = self.path / "vault.key"
        if not path.exists():
            # Written beside and linked into place: two starts at once agree on one key, and a crash leaves no half.
            made = path.with_name(f".vault-{secrets.token_hex(4)}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(Vault.new_key())
            with contextlib.suppress(FileExistsError):
                os.link(made, path)
            made.unlink()
        return path.read_text(encoding="ascii").strip()
