"""`python -m bongsu_auth`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bongsu.identity.vault import Vault
from bongsu.process.server import run as run_process
from bongsu_auth.__main__ import api


def run(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "VIRTUAL_ENV")}
    return subprocess.run(
        [sys.executable, "-m", "bongsu_auth"],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class TestMain:
    def test_missing_settings_are_one_clear_line(self, tmp_path: Path) -> None:
        done = run(tmp_path)
        assert done.returncode == 1
        assert "BONGSU_VAULT_KEYS is missing" in done.stderr
        assert "Traceback" not in done.stderr

    def test_wrong_setting_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("BONGSU_VAULT_KEYS", Vault.new_key())
        monkeypatch.setenv("AUTH_ACCESS_TOKEN_S", "901")
        monkeypatch.setenv("AUTH_REFRESH_GRACE", "1")
        assert run_process(api) == 1
        printed = capsys.readouterr().err
        assert "AUTH_ACCESS_TOKEN_S" in printed
        assert "AUTH_REFRESH_GRACE is not a setting; did you mean AUTH_REFRESH_GRACE_S?" in printed
