"""The wheel of the library, in environments that hold only what it asks for.

It is built by the installed hatchling, and its requirements are linked from the test's own environment: no package
index is needed.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SOURCE = Path(__file__).parents[1]
IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for module in sys.argv[2:]:
    importlib.import_module(module)
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(  # noqa: S603 - the installed build tool
        command, cwd=SOURCE, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


class TestWheel:
    def test_wheel_requires_only_sqlalchemy_with_its_asyncio_requirements(self, wheel: Path, tmp_path: Path) -> None:
        assert install(wheel, (), tmp_path) == {"sqlalchemy", "greenlet", "typing-extensions"}

    @pytest.mark.parametrize(
        ("extras", "modules"),
        [
            ((), ["bongsu.mixins"]),
            (
                ("runtime",),
                ["bongsu.contracts.jobs", "bongsu.runtime.http", "bongsu.process.database"],
            ),
            (("broker",), ["bongsu.broker.memory", "bongsu.process.broker", "bongsu.outbox.__main__"]),
            (("identity",), ["bongsu.identity.callers", "bongsu.identity.signatures", "bongsu.process.identity"]),
        ],
    )
    def test_modules_can_be_imported_when_only_their_extra_is_installed(
        self, wheel: Path, tmp_path: Path, extras: Sequence[str], modules: list[str]
    ) -> None:
        install(wheel, extras, tmp_path)
        done = import_in(tmp_path, modules)
        assert done.returncode == 0, done.stderr

    def test_module_of_an_extra_cannot_be_imported_when_it_is_not_installed(self, wheel: Path, tmp_path: Path) -> None:
        install(wheel, (), tmp_path)
        assert "No module named 'structlog'" in import_in(tmp_path, ["bongsu.runtime.logging"]).stderr

    def test_wheel_is_typed(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            assert "bongsu/py.typed" in archive.namelist()


def install(wheel: Path, extras: Iterable[str], folder: Path) -> set[str]:
    """Unpack a wheel into a folder, beside links to everything that it requires; returns the names of those."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (own,) = folder.glob("*.dist-info")
    required: dict[str, set[str]] = {}
    collect(Distribution.at(own), set(extras), required)
    for name in required:
        link(distribution(name), folder)
    return set(required)


def collect(package: Distribution, extras: set[str], required: dict[str, set[str]]) -> None:
    """Add what a package requires, and what that requires, to `required`: each name with its extras."""
    for line in package.requires or ():
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        if name == canonicalize_name(package.name):
            collect(package, requirement.extras, required)
        elif name not in required or not requirement.extras <= required[name]:
            required[name] = required.get(name, set()) | requirement.extras
            collect(distribution(name), required[name], required)


def link(package: Distribution, folder: Path) -> None:
    names = {file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")}
    for name in names:
        place = folder / name
        if not place.exists():
            place.symlink_to(Path(str(package.locate_file(name))))


def import_in(folder: Path, modules: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Import modules in an interpreter that sees the standard library and the folder."""
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "-S", "-c", IMPORT, str(folder), *modules],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
