"""Every rule on the source text catches a planted violation, and passes the code beside it that is right."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tools.architecture.source_rules import MAX_LINES, RULES, violations

FEATURE = "services/auth/src/bongsu_auth/accounts"


def rules_broken_by(root: Path, path: str, code: str) -> set[str]:
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(dedent(code))
    return {violation.rule for violation in violations(root)}


class TestServicesDoNotCommit:
    def test_a_commit_in_a_service_is_found(self, tmp_path: Path) -> None:
        code = """
            async def confirm(unit):
                await unit.session.commit()
        """
        assert rules_broken_by(tmp_path, f"{FEATURE}/service.py", code) == {"commit-in-service"}

    def test_the_edge_may_commit(self, tmp_path: Path) -> None:
        code = "async def confirm(unit):\n    await unit.commit()\n"
        assert rules_broken_by(tmp_path, f"{FEATURE}/endpoints.py", code) == set()


class TestSqlIsWrittenInTheMixins:
    @pytest.mark.parametrize(
        "code",
        [
            "async def f(session):\n    await session.execute(query)\n",
            "async def f(unit):\n    return (await unit.session.scalars(query)).all()\n",
            "class A:\n    def f(self):\n        return self._session.scalar(query)\n",
            "def f(connection):\n    connection.exec_driver_sql('SELECT 1')\n",
            "from sqlalchemy import text\nQUERY = text('SELECT 1')\n",
            "from sqlalchemy import text as sql\nQUERY = sql('SELECT 1')\n",
            "import sqlalchemy as sa\nQUERY = sa.text('SELECT 1')\n",
            "async def f(session):\n    await session.execute(query)  # noqa: S608 - no reason\n",
        ],
    )
    def test_raw_sql_is_found(self, tmp_path: Path, code: str) -> None:
        assert "raw-sql" in rules_broken_by(tmp_path, f"{FEATURE}/service.py", code)

    @pytest.mark.parametrize(
        "code",
        [
            """
            async def f(session):
                # the mixins have no window functions
                rows = (await session.execute(query)).all()
            """,
            """
            async def f(session):
                rows = await session.execute(query)  # the mixins have no window functions
            """,
            """
            async def f(session):
                # the mixins have no window functions
                rows = [
                    row
                    for row in await session.execute(query)
                ]
            """,
            """
            def text(words): ...
            text("not SQL")
            executor.execute(job)
            """,
        ],
    )
    def test_code_passes_with_a_reason_or_without_sql(self, tmp_path: Path, code: str) -> None:
        assert rules_broken_by(tmp_path, f"{FEATURE}/service.py", code) == set()

    @pytest.mark.parametrize(
        "path", ["shared/src/bongsu/mixins/query.py", "services/auth/tests/accounts/test_service.py"]
    )
    def test_mixins_and_tests_may_write_sql(self, tmp_path: Path, path: str) -> None:
        assert rules_broken_by(tmp_path, path, "async def f(session):\n    await session.execute(query)\n") == set()


class TestNamesSaySomething:
    @pytest.mark.parametrize(
        "path",
        [
            "shared/src/bongsu/utils.py",
            "shared/src/bongsu/helpers/time.py",
            "services/auth/tests/common.py",
            "bench/misc.py",
            "shared/src/bongsu/_utils.py",
        ],
    )
    def test_a_name_that_says_nothing_is_found(self, tmp_path: Path, path: str) -> None:
        assert rules_broken_by(tmp_path, path, "") == {"meaningless-name"}

    def test_a_longer_name_that_contains_one_passes(self, tmp_path: Path) -> None:
        assert rules_broken_by(tmp_path, "shared/src/bongsu/common_prefix.py", "") == set()


class TestFilesAreShort:
    @pytest.mark.parametrize(("lines", "broken"), [(MAX_LINES, set()), (MAX_LINES + 1, {"file-too-long"})])
    def test_the_limit_is_the_last_that_passes(self, tmp_path: Path, lines: int, broken: set[str]) -> None:
        assert rules_broken_by(tmp_path, "bench/queries.py", "x = 1\n" * lines) == broken


class TestIgnoresGiveRuleAndReason:
    @pytest.mark.parametrize(
        "comment",
        [
            "# noqa",
            "# NOQA because it is late",
            "# noqa: S101",
            "# noqa: S101, S105",
            "# noqa: S101 - why",
            "# type: ignore",
            "# type: ignore[arg-type]",
            "# type: ignore  # the stubs are wrong",
            "# pyright: ignore",
            "# ruff: noqa",
            "# ruff: noqa: S101",
            "# mypy: ignore-errors",
        ],
    )
    @pytest.mark.parametrize("path", ["shared/src/bongsu/clock.py", "shared/tests/test_clock.py"])
    def test_ignore_is_found_when_it_lacks_a_rule_or_a_reason(self, tmp_path: Path, path: str, comment: str) -> None:
        assert rules_broken_by(tmp_path, path, f"x = 1  {comment}\n") == {"unexplained-ignore"}

    @pytest.mark.parametrize(
        "comment",
        [
            "# noqa: S101 - pytest rewrites it",
            "# noqa: S101, S105 - test data, not secrets",
            "# type: ignore[arg-type]  # the stubs lack the second form",
            "# type: ignore[arg-type, misc]  # the stubs lack it",
            "# type: ignore[union-attr] # noqa: S101 - both for one reason",
            "# ruff: noqa: T20 - a script that prints",
        ],
    )
    def test_ignore_passes_when_it_has_a_rule_and_a_reason(self, tmp_path: Path, comment: str) -> None:
        assert rules_broken_by(tmp_path, "bench/queries.py", f"x = 1  {comment}\n") == set()

    def test_a_string_is_not_a_comment(self, tmp_path: Path) -> None:
        assert rules_broken_by(tmp_path, "bench/queries.py", 'x = "# noqa"\n') == set()


class TestEndpointsImportNoModels:
    @pytest.mark.parametrize(
        "code",
        [
            "from bongsu_auth.accounts.models import Registration\n",
            "from bongsu.identity.models import User\n",
            "from bongsu.identity import models\n",
            "import bongsu.identity.models\n",
            "def f():\n    from bongsu.identity.models import User\n",
        ],
    )
    def test_an_import_of_models_is_found(self, tmp_path: Path, code: str) -> None:
        assert rules_broken_by(tmp_path, f"{FEATURE}/endpoints.py", code) == {"models-in-endpoints"}

    @pytest.mark.parametrize("path", [f"{FEATURE}/service.py", "services/auth/tests/accounts/endpoints.py"])
    def test_services_and_tests_may_import_models(self, tmp_path: Path, path: str) -> None:
        assert rules_broken_by(tmp_path, path, "from bongsu.identity.models import User\n") == set()

    def test_schemas_may_be_imported(self, tmp_path: Path) -> None:
        code = "from bongsu_auth.accounts.schemas import UserOut\n"
        assert rules_broken_by(tmp_path, f"{FEATURE}/endpoints.py", code) == set()


class TestRoutesAreModuleLevel:
    @pytest.mark.parametrize("decorator", ["router.get('/me')", "app.websocket('/')", "self.router.post('/')"])
    @pytest.mark.parametrize("keyword", ["def", "async def"])
    def test_a_route_inside_a_function_is_found(self, tmp_path: Path, decorator: str, keyword: str) -> None:
        code = f"""
            def create_router(router):
                @{decorator}
                {keyword} me(): ...
        """
        assert rules_broken_by(tmp_path, f"{FEATURE}/endpoints.py", code) == {"nested-route"}

    def test_a_route_of_the_module_passes(self, tmp_path: Path) -> None:
        code = """
            router = APIRouter()

            @router.get("/me")
            async def read_me():
                @functools.cache
                def inner(): ...
        """
        assert rules_broken_by(tmp_path, f"{FEATURE}/endpoints.py", code) == set()


class TestLimitsAreArguments:
    @pytest.mark.parametrize(
        "code",
        [
            "def test(monkeypatch):\n    monkeypatch.setattr(service, 'LIMIT_S', 1)\n",
            "def test(monkeypatch):\n    monkeypatch.setattr(service, '_CHUNK', 1)\n",
            "def test(monkeypatch):\n    monkeypatch.setattr('bongsu.broker.WAIT_S', 1)\n",
            "def test(patch):\n    patch.setattr(service, 'LIMIT_S', 1, raising=False)\n",
        ],
    )
    def test_a_patched_constant_is_found(self, tmp_path: Path, code: str) -> None:
        assert rules_broken_by(tmp_path, "services/auth/tests/test_limits.py", code) == {"patched-constant"}

    def test_a_patched_function_passes(self, tmp_path: Path) -> None:
        code = "def test(monkeypatch):\n    monkeypatch.setattr(service, 'submit', None)\n"
        assert rules_broken_by(tmp_path, "services/auth/tests/test_limits.py", code) == set()


class TestTestsWaitWithEventually:
    @pytest.mark.parametrize(
        "code",
        [
            "async def test():\n    while not done():\n        await asyncio.sleep(0.01)\n",
            "def test():\n    while True:\n        if done():\n            break\n        time.sleep(PAUSE_S)\n",
            "async def test():\n    # why\n    while not done():\n        await sleep(1)\n",
        ],
    )
    def test_a_polling_loop_is_found(self, tmp_path: Path, code: str) -> None:
        assert rules_broken_by(tmp_path, "services/auth/tests/test_limits.py", code) == {"polling-loop"}

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("tests/test_a.py", "async def test():\n    while True:\n        await asyncio.sleep(0)\n"),
            ("tests/test_a.py", "def test():\n    # The pause spreads the load.\n    while True:\n        sleep(1)\n"),
            ("tests/eventually.py", "def wait():\n    while True:\n        time.sleep(1)\n"),
            ("bench/load.py", "def wait():\n    while True:\n        time.sleep(1)\n"),
        ],
    )
    def test_other_loops_pass(self, tmp_path: Path, path: str, code: str) -> None:
        assert rules_broken_by(tmp_path, path, code) == set()


class TestMain:
    def test_a_violation_is_printed_with_its_place_and_the_exit_code_is_1(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "utils.py").touch()

        result = subprocess.run(  # noqa: S603 - our own check
            [sys.executable, "-m", "tools.architecture", tmp_path],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

        assert result.returncode == 1
        assert result.stderr.startswith("utils.py:1: ")

    def test_files_that_are_not_the_projects_are_left_alone(self, tmp_path: Path) -> None:
        for folder in (".venv", "var", "node_modules"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "utils.py").touch()

        assert violations(tmp_path) == []

    def test_each_rule_has_a_planted_violation_here(self) -> None:
        planted = {name for name in RULES if f'{{"{name}"}}' in Path(__file__).read_text(encoding="utf-8")}
        assert planted | {"raw-sql"} == set(RULES)
