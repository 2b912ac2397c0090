import stat
from pathlib import Path

import pytest

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu_launcher.state import StateFolder


class TestStateFolder:
    def test_folder_is_readable_by_its_owner_alone(self, tmp_path: Path) -> None:
        state = StateFolder(tmp_path / "a" / "var")
        assert stat.S_IMODE(state.path.stat().st_mode) == 0o700

    def test_folder_that_cannot_be_created_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StartError, match=r"Cannot write to the data folder .*BONGSU_VAR"):
            StateFolder(tmp_path / "file" / "var")


class TestEnsureVaultKeys:
    def test_keys_are_created_once_and_then_read(self, tmp_path: Path) -> None:
        first, second = StateFolder(tmp_path).ensure_vault_keys(), StateFolder(tmp_path).ensure_vault_keys()
        assert first == second
        sealed = Vault.parse(first).seal("x", aad="test")
        assert Vault.parse(second).open_text(sealed, aad="test") == "x"

    def test_keys_are_readable_by_their_owner_alone(self, tmp_path: Path) -> None:
        StateFolder(tmp_path).ensure_vault_keys()
        assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]

    def test_keys_are_not_created_when_a_database_exists(self, tmp_path: Path) -> None:
        state = StateFolder(tmp_path)
        state.database_file.write_bytes(b"rows")
        with pytest.raises(StartError, match=r"vault\.key is missing, .* restore it, or set BONGSU_VAULT_KEYS"):
            state.ensure_vault_keys()
        assert not (tmp_path / "vault.key").exists()


class TestVaultKeys:
    def test_keys_are_not_created(self, tmp_path: Path) -> None:
        assert StateFolder(tmp_path).vault_keys() is None
        assert not [*tmp_path.iterdir()]

    @pytest.mark.parametrize("content", [b"\xff\xfe", "k1:한글".encode(), b"garbage", b""])
    def test_malformed_key_is_reported_with_its_file(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "vault.key").write_bytes(content)
        with pytest.raises(StartError, match=r"vault\.key is not a vault key \(.*\): restore its content"):
            StateFolder(tmp_path).vault_keys()

    def test_folder_in_place_of_the_key_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "vault.key").mkdir()
        with pytest.raises(StartError, match=r"vault\.key is not a vault key \(Is a directory\)"):
            StateFolder(tmp_path).ensure_vault_keys()


class TestLocked:
    def test_second_process_is_refused(self, tmp_path: Path) -> None:
        with (
            StateFolder(tmp_path).locked(),
            pytest.raises(StartError, match="set BONGSU_VAR and PORT"),
            StateFolder(tmp_path).locked(),
        ):
            pass

    def test_lock_is_free_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            with StateFolder(tmp_path).locked():
                pass

    def test_folder_in_place_of_the_lock_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "lock").mkdir()
        with (
            pytest.raises(StartError, match=r"Cannot lock .*lock \(Is a directory\): remove it"),
            StateFolder(tmp_path).locked(),
        ):
            pass
