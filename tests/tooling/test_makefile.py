import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """A folder with the Makefile and nothing installed."""
    for name in ("Makefile", "uv.lock", "pyproject.toml"):
        shutil.copy(pytestconfig.rootpath / name, tmp_path / name)
    return tmp_path


def make(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # The make that may have started these tests hands its own variables down.
    inherited = ("MAKE", "MFLAGS", "PYTHON", "JOBS", "ARGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", *arguments],  # noqa: S607 - the make that the developer has
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def stub_python(project: Path, script: str) -> str:
    """A `python3` of which only the answers to the Makefile's questions exist."""
    file = project / "python-stub"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return f"PYTHON={file}"


class TestHelp:
    def test_it_is_what_make_alone_does_and_lists_every_command(self, project: Path) -> None:
        result = make(project)

        assert result.returncode == 0
        for command in ("up", "test", "fuzz", "check", "bench", "fmt"):
            assert f"\n  make {command} " in result.stdout
        assert not (project / ".venv").exists()


class TestBootstrap:
    """What is missing is said in one line, before anything is written."""

    def test_no_python(self, project: Path) -> None:
        result = make(project, "up", "PYTHON=no-such-python")
        assert result.returncode != 0
        assert result.stderr.startswith('Bongsu needs Python 3.11 or newer, and "no-such-python" was not found: ')

    def test_an_old_python(self, project: Path) -> None:
        old = stub_python(project, 'case "$2" in *platform*) echo 3.9.18;; *) exit 1;; esac')
        result = make(project, "up", old)
        assert result.returncode != 0
        assert result.stderr.startswith("Bongsu needs Python 3.11 or newer, and ")
        assert "is 3.9.18: name a newer one" in result.stderr.splitlines()[0]

    def test_no_venv_module(self, project: Path) -> None:
        result = make(project, "up", stub_python(project, 'case "$2" in *venv*) exit 1;; esac'))
        assert result.returncode != 0
        assert "apt-get install python3-venv" in result.stderr.splitlines()[0]

    def test_neither_pip_nor_ensurepip(self, project: Path) -> None:
        result = make(project, "up", stub_python(project, 'case "$2" in *ensurepip*|pip) exit 1;; esac'))
        assert result.returncode != 0
        assert "pip or ensurepip" in result.stderr.splitlines()[0]

    def test_nothing_is_left_behind(self, project: Path) -> None:
        make(project, "up", "PYTHON=no-such-python")
        assert not (project / ".venv").exists()


class TestUp:
    @pytest.fixture
    def installed(self, project: Path) -> Path:
        """The same folder, as it is after an installation; `bongsu` is a script that prints how it was called."""
        programs = project / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, script in {"python": "", "uv": "echo uv was called", "bongsu": 'echo "bongsu $*"; exit 3'}.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        for stamp in (".synced-run", ".synced-dev"):
            (project / ".venv" / stamp).touch()
        return project

    def test_nothing_is_installed_again(self, installed: Path) -> None:
        assert make(installed, "up", "ARGS=--reload").stdout == "bongsu up --reload\n"

    def test_a_failure_is_passed_on(self, installed: Path) -> None:
        assert make(installed, "up").returncode != 0

    def test_a_changed_lock_file_is_installed_first(self, installed: Path) -> None:
        (installed / "uv.lock").touch()
        os.utime(installed / ".venv" / ".synced-run", (0, 0))
        assert make(installed, "up").stdout == "uv was called\nbongsu up\n"

    def test_an_environment_from_another_folder_is_made_anew(self, installed: Path) -> None:
        (installed / ".venv" / ".made-in").write_text("/somewhere/else\n")
        make(installed, "up", "PYTHON=no-such-python")
        assert not (installed / ".venv").exists()
