"""`.env.example` and the compose files name every setting, and nothing else."""

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bongsu.runtime.settings import Settings, load
from tools.environment import reference

CLASSES = [section.cls for section in reference.SECTIONS]
COMPOSE_ONLY = {"COMPOSE_PROFILES", "GATEWAY_ADDRESS", "GATEWAY_SITE", "GATEWAY_TRUSTED_PROXIES", "BONGSU_VERSION"}
ADVICE = "run `make environment`"


@pytest.fixture
def root(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath


def _names(text: str) -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


def _settings() -> set[str]:
    return {name for cls in CLASSES for name in cls.names().values()}


class TestExample:
    def test_example_names_every_setting(self, root: Path) -> None:
        text = (root / ".env.example").read_text(encoding="utf-8")
        assert _settings() - _names(text) == set(), ADVICE

    def test_example_names_nothing_else(self, root: Path) -> None:
        text = (root / ".env.example").read_text(encoding="utf-8")
        assert _names(text) - _settings() - COMPOSE_ONLY == set(), ADVICE

    def test_original_names_have_no_prefix(self, root: Path) -> None:
        text = (root / ".env.example").read_text(encoding="utf-8")
        original = {"PORT", "MYSQL_HOST", "MYSQL_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"}
        assert original <= _names(text)

    @pytest.mark.parametrize("cls", CLASSES)
    def test_example_shows_the_defaults(self, root: Path, tmp_path: Path, cls: type[Settings]) -> None:
        uncommented = re.sub(
            r"^#(?=[A-Z][A-Z0-9_]+=)", "", (root / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE
        )
        (tmp_path / ".env").write_text(uncommented, encoding="utf-8")
        # Empty values count as not set, and secrets are not shown.
        (given,) = load(cls, environ={}, dotenv=tmp_path / ".env")
        assert given == cls()

    def test_copy_keeps_the_defaults_of_the_one_process_mode(self, root: Path) -> None:
        active = {name for name in dotenv_values(root / ".env.example") if name not in COMPOSE_ONLY}
        assert active == set()


class TestComposeFiles:
    @pytest.mark.parametrize("name", ["compose.yaml", "compose.override.yaml"])
    def test_each_service_gets_its_settings(self, root: Path, name: str) -> None:
        text = (root / name).read_text(encoding="utf-8")
        assert reference.with_blocks(text) == text, ADVICE

    def test_every_service_has_a_block(self, root: Path) -> None:
        text = "".join((root / path).read_text(encoding="utf-8") for path in reference.COMPOSE_FILES)
        found = {match["name"] for match in reference.BLOCK.finditer(text)}
        assert found == set(reference.BLOCKS)

    def test_example_names_every_variable_of_the_compose_files(self, root: Path) -> None:
        text = "".join((root / path).read_text(encoding="utf-8") for path in reference.COMPOSE_FILES)
        taken = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
        assert taken <= _names((root / ".env.example").read_text(encoding="utf-8"))
