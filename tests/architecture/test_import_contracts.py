"""Every import contract catches a violation planted in a copy of the source.

All violations are planted in one copy and checked in one run: each contract reports its own, and a run takes a second.
"""

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Planted(NamedTuple):
    rule: str  # the contract's name in .importlinter
    importer: str
    imported: str
    statement: str

    @property
    def file(self) -> Path:
        package = self.importer.partition(".")[0]
        member = {"bongsu": "shared", "bongsu_client": "clients/python"}.get(package, package.removeprefix("bongsu_"))
        folder = (
            Path(member) if member in {"shared", "sandbox", "launcher", "clients/python"} else Path("services") / member
        )
        return folder / "src" / Path(*self.importer.split(".")).with_suffix(".py")


def plant(rule: str, importer: str, imported: str) -> Planted:
    package, _, name = imported.rpartition(".")
    return Planted(rule, importer, imported, f"from {package} import {name}\n" if package else f"import {name}\n")


SHARED_LAYERS = "The shared library is built in layers"
SHARED_BELOW = "The shared library knows no service"
INDEPENDENT = "Services and the sandbox import nothing of each other"
LAUNCHER_ON_TOP = "Nothing imports the launcher"
SANDBOX = "Only the launcher imports the sandbox"
CLIENT = "bongsu_client imports httpx only"
CLIENT_BELOW = "The client knows nothing of Bongsu's code"
CLIENT_ON_ITS_OWN = "Only the launcher imports the client"
CONTRACTS = "bongsu.contracts imports pydantic only"
MIXINS = "bongsu.mixins imports SQLAlchemy only"
MIXIN_LAYERS = "The mixins are built in layers"
AWS = "Only the SES channel imports aioboto3"
ROLES = "In a service, edges import services and services import models"

# Modules that the planted imports lead to: what is planted must not depend on which features exist.
TARGETS = (
    "bongsu.broker.target",
    "bongsu.identity.target",
    "bongsu.outbox.target",
    "bongsu.runtime.target",
    "bongsu.contracts.target",
    "bongsu_auth.target",
    "bongsu_notify.target",
    "bongsu_sandbox.target",
    "bongsu_launcher.target",
    "bongsu_client.target",
    "bongsu_auth.beacons.backend",
    "bongsu_auth.beacons.cog",
    "bongsu_auth.beacons.endpoints",
    "bongsu_auth.beacons.handlers",
    "bongsu_auth.beacons.service",
    "bongsu_auth.beacons.strategy",
    "bongsu_auth.beacons.transport",
    "bongsu_auth.beacons.schemas",
)
VIOLATIONS = [
    plant(SHARED_LAYERS, "bongsu.mixins.planted", "bongsu.runtime.target"),
    plant(SHARED_LAYERS, "bongsu.mixins.planted_sibling", "bongsu.contracts.target"),
    plant(SHARED_LAYERS, "bongsu.contracts.planted_layer", "bongsu.runtime.target"),
    plant(SHARED_LAYERS, "bongsu.runtime.planted", "bongsu.broker.target"),
    plant(SHARED_LAYERS, "bongsu.broker.planted", "bongsu.outbox.target"),
    plant(SHARED_LAYERS, "bongsu.identity.planted", "bongsu.outbox.target"),
    plant(SHARED_BELOW, "bongsu.runtime.planted_auth", "bongsu_auth.target"),
    plant(INDEPENDENT, "bongsu_auth.planted", "bongsu_notify.target"),
    plant(INDEPENDENT, "bongsu_notify.planted", "bongsu_auth.target"),
    plant(INDEPENDENT, "bongsu_sandbox.planted", "bongsu_notify.target"),
    plant(LAUNCHER_ON_TOP, "bongsu_auth.planted_launcher", "bongsu_launcher.target"),
    plant(SANDBOX, "bongsu_notify.planted_sandbox", "bongsu_sandbox.target"),
    plant(CLIENT, "bongsu_client.planted", "pydantic"),
    plant(CLIENT_BELOW, "bongsu_client.planted_contract", "bongsu.contracts.target"),
    plant(CLIENT_ON_ITS_OWN, "bongsu_auth.planted_client", "bongsu_client.target"),
    plant(CONTRACTS, "bongsu.contracts.planted", "httpx"),
    plant(CONTRACTS, "bongsu.contracts.planted", "sqlalchemy.orm"),
    plant(MIXINS, "bongsu.mixins.planted_external", "structlog"),
    plant(MIXIN_LAYERS, "bongsu.mixins.unit", "bongsu.mixins.database"),
    plant(MIXIN_LAYERS, "bongsu.mixins.fields", "bongsu.mixins.base"),
    plant(MIXIN_LAYERS, "bongsu.mixins.query", "bongsu.mixins.bulk"),
    plant(AWS, "bongsu_notify.planted_aws", "aioboto3"),
    plant(AWS, "bongsu_auth.planted_aws", "botocore.config"),
    plant(ROLES, "bongsu_auth.towers.service", "bongsu_auth.beacons.endpoints"),
    plant(ROLES, "bongsu_auth.towers.models", "bongsu_auth.beacons.service"),
    plant(ROLES, "bongsu_auth.towers.models", "bongsu_auth.beacons.schemas"),
    plant(ROLES, "bongsu_auth.towers.handlers", "bongsu_auth.beacons.endpoints"),
    plant(ROLES, "bongsu_auth.towers.port", "bongsu_auth.beacons.cog"),
    plant(ROLES, "bongsu_auth.towers.strategy", "bongsu_auth.beacons.backend"),
    plant(ROLES, "bongsu_auth.towers.transport", "bongsu_auth.beacons.strategy"),
    plant(ROLES, "bongsu_auth.towers.service", "bongsu_auth.beacons.transport"),
    plant(ROLES, "bongsu_auth.towers.manager", "bongsu_auth.beacons.service"),
    plant(ROLES, "bongsu_auth.towers.manager", "starlette"),
    plant(ROLES, "bongsu_auth.towers.strategy", "httpx"),
    *(
        plant(ROLES, "bongsu_auth.towers.service", external)
        for external in ("fastapi", "starlette", "discord", "aio_pika", "aioboto3", "httpx")
    ),
]
EXHAUSTIVE = "bongsu.stray"


def source_folders(project: Path) -> list[str]:
    return [str(folder) for folder in sorted(project.glob("**/src")) if folder.is_dir()]


def lint_imports(project: Path) -> dict[str, str]:
    """Run the checker on a copy of the project; what it reports about each broken contract, by the contract's name."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(source_folders(project)),
        "COLUMNS": "1000",  # so that no line is wrapped
        "NO_COLOR": "1",
    }
    result = subprocess.run(  # noqa: S603 - our own tool on our own source
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in result.stdout, result.stdout + result.stderr
    _, _, details = result.stdout.partition("Broken contracts")
    sections = re.split(r"^(.+)\n-+\n", details, flags=re.MULTILINE)[1:]
    return dict(zip(sections[0::2], sections[1::2], strict=True))


def write(file: Path, statement: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as code:
        code.write(statement)
    for folder in (file.parent, *file.parents):
        if folder.name == "src":
            break
        (folder / "__init__.py").touch()


@pytest.fixture(scope="module")
def reported(copy_project: Callable[[str], Path]) -> dict[str, str]:
    """Run the checker on a copy of the source with every violation planted."""
    project = copy_project("planted")
    for target in TARGETS:
        write(project / plant("", target, "sys").file)
    for violation in VIOLATIONS:
        write(project / violation.file, violation.statement)
    write(project / plant("", EXHAUSTIVE, "sys").file)
    return lint_imports(project)


class TestEveryContract:
    @pytest.mark.parametrize(
        "planted", VIOLATIONS, ids=lambda planted: f"{planted.importer} imports {planted.imported}"
    )
    def test_a_planted_violation_is_reported(self, reported: dict[str, str], planted: Planted) -> None:
        assert planted.rule in reported
        external = planted.imported.partition(".")[0]
        imported = planted.imported if external.startswith("bongsu") else external
        assert re.search(rf"{re.escape(planted.importer)}\s+->\s+{re.escape(imported)}\b", reported[planted.rule])

    def test_a_new_package_of_the_shared_library_needs_a_layer(self, reported: dict[str, str]) -> None:
        assert EXHAUSTIVE in reported[SHARED_LAYERS]

    def test_a_new_module_of_the_mixins_needs_a_layer(self, reported: dict[str, str]) -> None:
        assert "bongsu.mixins.planted" in reported[MIXIN_LAYERS]

    def test_each_has_a_planted_violation(self, root: Path) -> None:
        settings = configparser.ConfigParser()
        settings.read(root / ".importlinter")
        names = {settings[section]["name"] for section in settings.sections() if "contract:" in section}

        assert names == {planted.rule for planted in VIOLATIONS}


class TestTheConfiguration:
    def test_every_member_is_under_the_contracts(self, root: Path) -> None:
        settings = configparser.ConfigParser()
        settings.read(root / ".importlinter")
        packages = {file.parent.name for file in root.glob("*/src/*/__init__.py")}
        services = {file.parent.name for file in root.glob("services/*/src/*/__init__.py")}
        clients = {file.parent.name for file in root.glob("clients/*/src/*/__init__.py")}

        assert set(settings["importlinter"]["root_packages"].split()) == packages | services | clients
        assert set(settings["importlinter:contract:roles-in-a-service"]["packages"].split()) == services
        independent = set(settings["importlinter:contract:services-are-independent"]["modules"].split())
        assert independent == services | {"bongsu_sandbox"}
        forbidden = set(settings["importlinter:contract:shared-is-below"]["forbidden_modules"].split())
        assert forbidden == (packages | services) - {"bongsu"}
