"""The data folder of the one-process mode: its database file, its vault key, its lock."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bongsu.identity.vault import Vault, VaultKeysWrong
from bongsu.runtime.errors import StartError


class StateFolder:
    """`var/`, or the folder that BONGSU_VAR names. Only its owner can read it.

    :raises StartError: it cannot be created or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / f".writable-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StartError(
                f"Cannot write to the data folder {path} ({error.strerror}); BONGSU_VAR sets another"
            ) from error

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
        """The data of the sandbox."""
        return self.path / "sandbox"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder: the broker lives in one process, so a second process would send every message again.

        :raises StartError: another process has locked it.
        """
        path = self.path / "lock"
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(path.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StartError(
                    f"Another Bongsu uses the data in {self.path}: stop it, or set BONGSU_VAR and PORT for a second"
                ) from error
            except OSError as error:
                raise StartError(f"Cannot lock {path} ({error.strerror}): remove it") from error
            yield

    def vault_keys(self) -> str | None:
        """The key that encrypts secrets in this folder's database; None while neither exists.

        :raises StartError: it cannot be read, is not a key, or is missing although the database exists.
        """
        # Checked first: the key is created before the database.
        sealed = self.database_file.is_file() and self.database_file.stat().st_size > 0
        try:
            return self._read_key()
        except FileNotFoundError:
            if not sealed:
                return None
        raise StartError(
            f"{self._key_file} is missing, and only it decrypts the secrets in {self.database_file.name}: "
            "restore it, or set BONGSU_VAULT_KEYS to its content"
        )

    def ensure_vault_keys(self) -> str:
        """The key, which is created where neither it nor a database exists.

        :raises StartError: as by `vault_keys`, or it cannot be created.
        """
        keys = self.vault_keys()
        if keys is not None:
            return keys
        written = self._key_file.with_name(f".vault-{secrets.token_hex(4)}")
        try:
            # Written beside and linked into place: two processes agree on one key, and a crash leaves no partial file.
            with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(Vault.new_key())
            with contextlib.suppress(FileExistsError):
                os.link(written, self._key_file)
            written.unlink()
            return self._read_key()
        except OSError as error:
            raise StartError(f"Cannot create {self._key_file} ({error.strerror})") from error

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
            f"{self._key_file} is not a vault key ({reason}): restore its content, or set BONGSU_VAULT_KEYS to it"
        )

    @property
    def _key_file(self) -> Path:
        return self.path / "vault.key"
