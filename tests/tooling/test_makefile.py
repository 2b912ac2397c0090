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
    # The make that started these tests passes its own variables on.
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
    """Create a `python3` that answers only what the Makefile asks. Returns the argument for make."""
    file = project / "python-stub"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return f"PYTHON={file}"


class TestHelp:
    def test_make_alone_lists_every_command(self, project: Path) -> None:
        result = make(project)

        assert result.returncode == 0
        for command in ("up", "test", "fuzz", "check", "bench", "fmt"):
            assert f"\n  make {command} " in result.stdout
        assert not (project / ".venv").exists()


class TestBootstrap:
    """One line names the missing program, before anything is written."""

    def test_bootstrap_fails_when_python_is_missing(self, project: Path) -> None:
        result = make(project, "up", "PYTHON=no-such-python")
        assert result.returncode != 0
        assert result.stderr.startswith('Bongsu needs Python 3.11 or newer, and "no-such-python" was not found: ')

    def test_bootstrap_fails_when_python_is_too_old(self, project: Path) -> None:
        old = stub_python(project, 'case "$2" in *platform*) echo 3.9.18;; *) exit 1;; esac')
        result = make(project, "up", old)
        assert result.returncode != 0
        assert result.stderr.startswith("Bongsu needs Python 3.11 or newer, and ")
        assert "is 3.9.18: name a newer one" in result.stderr.splitlines()[0]

    def test_bootstrap_fails_when_venv_is_missing(self, project: Path) -> None:
        result = make(project, "up", stub_python(project, 'case "$2" in *venv*) exit 1;; esac'))
        assert result.returncode != 0
        assert "apt-get install python3-venv" in result.stderr.splitlines()[0]

    def test_bootstrap_fails_when_pip_and_ensurepip_are_missing(self, project: Path) -> None:
        result = make(project, "up", stub_python(project, 'case "$2" in *ensurepip*|pip) exit 1;; esac'))
        assert result.returncode != 0
        assert "pip or ensurepip" in result.stderr.splitlines()[0]

    def test_bootstrap_leaves_no_files_when_it_fails(self, project: Path) -> None:
        make(project, "up", "PYTHON=no-such-python")
        assert not (project / ".venv").exists()


class TestUp:
    @pytest.fixture
    def installed(self, project: Path) -> Path:
        """The same folder after an installation; `bongsu` is a script that prints its arguments."""
        programs = project / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, script in {"python": "", "uv": "echo uv was called", "bongsu": 'echo "bongsu $*"; exit 3'}.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        for stamp in (".synced-run", ".synced-dev"):
            (project / ".venv" / stamp).touch()
        return project

    def test_up_installs_nothing_when_nothing_changed(self, installed: Path) -> None:
        assert make(installed, "up", "ARGS=--reload").stdout == "bongsu up --reload\n"

    def test_make_fails_when_the_command_fails(self, installed: Path) -> None:
        assert make(installed, "up").returncode != 0

    def test_up_installs_first_when_the_lock_file_changed(self, installed: Path) -> None:
        (installed / "uv.lock").touch()
        os.utime(installed / ".venv" / ".synced-run", (0, 0))
        assert make(installed, "up").stdout == "uv was called\nbongsu up\n"

    def test_environment_is_created_again_when_it_was_copied_from_another_folder(self, installed: Path) -> None:
        (installed / ".venv" / ".made-in").write_text("/somewhere/else\n")
        make(installed, "up", "PYTHON=no-such-python")
        assert not (installed / ".venv").exists()
