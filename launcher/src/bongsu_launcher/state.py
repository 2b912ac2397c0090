"""What the one-process mode keeps between runs: its folder, its database file and the key that it made."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bongsu.identity.vault import Vault, VaultKeysWrong
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
    def database_file(self) -> Path:
        """The SQLite file."""
        return self.path / "bongsu.sqlite3"

    @property
    def database_url(self) -> str:
        """The SQLite file's URL."""
        return f"sqlite+aiosqlite:///{self.database_file}"

    @property
    def sandbox(self) -> Path:
        """What the stand-ins keep."""
        return self.path / "sandbox"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: its broker lives in one process, so a second one would send everything again.

        :raises StartError: another process holds it.
        """
        path = self.path / "lock"
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(path.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StartError(
                    f"Another Bongsu runs on the data in {self.path}: stop it, or set BONGSU_VAR and PORT for a second"
                ) from error
            except OSError as error:
                raise StartError(f"Cannot lock {path} ({error.strerror}): remove it") from error
            yield

    def vault_keys(self) -> str | None:
        """The key that seals what is in this folder's database; None while there is neither.

        :raises StartError: it cannot be read, is no key, or is gone and the database is not.
        """
        # Looked at first: whoever makes a database has made the key before.
        sealed = self.database_file.is_file() and self.database_file.stat().st_size > 0
        try:
            return self._read_key()
        except FileNotFoundError:
            if not sealed:
                return None
        raise StartError(
            f"{self._key_file} is missing, and nothing else opens what is sealed in {self.database_file.name}: "
            "put it back, or set BONGSU_VAULT_KEYS to what it held"
        )

    def ensure_vault_keys(self) -> str:
        """The key, which is made where there is neither it nor a database.

        :raises StartError: as `vault_keys`, or it cannot be made.
        """
        keys = self.vault_keys()
        if keys is not None:
            return keys
        made = self._key_file.with_name(f".vault-{secrets.token_hex(4)}")
        try:
            # Written beside and linked into place: two starts at once agree on one key, and a crash leaves no half.
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(Vault.new_key())
            with contextlib.suppress(FileExistsError):
                os.link(made, self._key_file)
            made.unlink()
            return self._read_key()
        except OSError as error:
            raise StartError(f"Cannot make {self._key_file} ({error.strerror})") from error

    def _read_key(self) -> str:
        reason: object
        try:
            keys = self._key_file.read_text(encoding="utf-8").strip()
            Vault.parse(keys)
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "not text"
        except VaultKeysWrong as error:
            reason = error
        else:
            return keys
        raise StartError(
            f"{self._key_file} is no vault key ({reason}): put back what it held, or set BONGSU_VAULT_KEYS to it"
        )

    @property
    def _key_file(self) -> Path:
        return self.path / "vault.key"
