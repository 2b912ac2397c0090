import re
from pathlib import Path

import pytest


@pytest.fixture
def workflows(pytestconfig: pytest.Config) -> list[Path]:
    return sorted((pytestconfig.rootpath / ".github" / "workflows").glob("*.yml"))


class TestWorkflows:
    def test_every_action_is_pinned_to_a_commit(self, workflows: list[Path]) -> None:
        used = [use for file in workflows for use in re.findall(r"uses: *(\S+)", file.read_text())]
        assert used
        assert [use for use in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", use)] == []

    def test_they_run_the_script_that_ci_runs(self, workflows: list[Path]) -> None:
        assert any("run: .ci/run" in file.read_text() for file in workflows)


class TestPreCommit:
    def test_no_hook_comes_from_another_repository(self, pytestconfig: pytest.Config) -> None:
        configuration = (pytestconfig.rootpath / ".pre-commit-config.yaml").read_text()
        assert re.findall(r"repo: *(\S+)", configuration) == ["local"]
