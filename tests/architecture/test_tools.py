"""The general tools are set up so that they catch what the project relies on them for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def project(copy_project: Callable[[str], Path]) -> Path:
    return copy_project("tools")


def run(command: list[str | Path], cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own tools


class TestRuff:
    @pytest.mark.parametrize(
        ("code", "rule"),
        [
            ("from . import accounts\n\n__all__ = ['accounts']\n", "TID252"),
            ("def f(x):\n    return x\n", "ANN001"),
            ("try:\n    x = 1\nexcept Exception:\n    x = 2\n", "BLE001"),
            ("import datetime\n\nNOW = datetime.datetime.utcnow()\n", "DTZ003"),
            ("x = 1  # noqa: F401 - it was needed once\n", "RUF100"),
        ],
    )
    def test_a_planted_violation_is_reported(self, project: Path, code: str, rule: str) -> None:
        file = project / "shared" / "src" / "bongsu" / f"planted_{rule.lower()}.py"
        file.write_text(code)

        result = run([BIN / "ruff", "check", "--no-cache", "--output-format=concise", file], project)

        assert result.returncode == 1
        assert f" {rule} " in result.stdout


class TestDeptry:
    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("import aioboto3", "DEP003"),  # installed for another member
            ("import not_installed_anywhere", "DEP001"),
        ],
    )
    def test_an_import_that_the_member_does_not_declare_is_reported(
        self, project: Path, statement: str, code: str
    ) -> None:
        member = project / "services" / "auth"
        (member / "src" / "bongsu_auth" / f"planted_{code.lower()}.py").write_text(f"{statement}\n")

        result = run([BIN / "deptry", "--no-ansi", "src"], member)

        assert result.returncode == 1
        assert f"planted_{code.lower()}.py:1:8: {code} " in result.stderr + result.stdout

    def test_a_dependency_that_nothing_imports_is_reported(self, project: Path) -> None:
        member = project / "services" / "auth"
        manifest = member / "pyproject.toml"
        manifest.write_text(manifest.read_text().replace("dependencies = [\n", 'dependencies = [\n  "faker",\n', 1))

        result = run([BIN / "deptry", "--no-ansi", "src"], member)

        assert result.returncode == 1
        assert "DEP002 'faker'" in result.stderr + result.stdout


class TestLockFile:
    def test_a_dependency_that_is_not_locked_is_reported(self, project: Path) -> None:
        manifest = project / "sandbox" / "pyproject.toml"
        manifest.write_text(manifest.read_text().replace("dependencies = [\n", 'dependencies = [\n  "attrs<1",\n', 1))

        result = run([BIN / "uv", "lock", "--check", "--offline"], project)

        assert result.returncode != 0


class TestMypy:
    def test_strict_mode_errors_are_reported_in_tests(self, project: Path) -> None:
        tests = project / "shared" / "tests"
        tests.mkdir(exist_ok=True)
        (tests / "test_planted.py").write_text("def test_it(value):\n    return value + 1  # type: ignore\n")

        result = run([BIN / "mypy", "--no-incremental", "shared/tests"], project)

        assert result.returncode == 1
        assert "shared/tests/test_planted.py:1: error: Function is missing a type annotation" in result.stdout
        assert "shared/tests/test_planted.py:2: error: Unused" in result.stdout

    def test_two_members_may_have_test_modules_of_one_name(self, project: Path) -> None:
        folders = [project / member / "tests" for member in ("sandbox", "launcher")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            (folder / "conftest.py").write_text("CASES: list[int] = []\n")

        result = run([BIN / "mypy", "--no-incremental", *folders], project)

        assert result.stdout.startswith("Success")
