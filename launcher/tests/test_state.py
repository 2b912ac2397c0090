import stat
from pathlib import Path

import pytest

from bongsu.identity.vault import Vault
from bongsu.runtime.errors import StartError
from bongsu_launcher.state import StateFolder


class TestStateFolder:
    def test_it_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        state = StateFolder(tmp_path / "a" / "var")
        assert stat.S_IMODE(state.path.stat().st_mode) == 0o700

    def test_a_folder_that_cannot_be_made_is_one_clear_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StartError, match=r"Cannot keep data in .*BONGSU_VAR"):
            StateFolder(tmp_path / "file" / "var")


class TestVaultKeys:
    def test_they_are_made_once_and_then_read(self, tmp_path: Path) -> None:
        first, second = StateFolder(tmp_path).vault_keys(), StateFolder(tmp_path).vault_keys()
        assert first == second
        sealed = Vault.parse(first).seal("x", aad="test")
        assert Vault.parse(second).open_text(sealed, aad="test") == "x"

    def test_only_the_owner_can_read_them(self, tmp_path: Path) -> None:
        StateFolder(tmp_path).vault_keys()
        assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]


class TestLocked:
    def test_a_second_process_is_told_what_to_do(self, tmp_path: Path) -> None:
        with (
            StateFolder(tmp_path).locked(),
            pytest.raises(StartError, match="set BONGSU_VAR and PORT"),
            StateFolder(tmp_path).locked(),
        ):
            pass

    def test_it_is_free_again_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            with StateFolder(tmp_path).locked():
                pass
