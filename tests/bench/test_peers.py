import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.peers import comparison, environments
from bench.peers.cases import CASES, RIGHT
from bench.peers.comparison import Cost, Measured, Worker, WorkerFailed, as_document, as_table, compare
from bench.peers.environments import NotInstalled, interpreter

COSTS = {"create": Cost([0.0006], [0.0002]), "get": Cost([0.0003], [0.0002]), "filter": Cost([0.0002], [0.0002])}
PEER = Measured("other", {"other": "2.0", "sqlalchemy": "2.1.9"}, "has no async form", COSTS)


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    """A folder of peers with one peer."""
    (tmp_path / "peers" / "other").mkdir(parents=True)
    return tmp_path / "peers"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands for uv, which is not run."""
    commands: list[str] = []

    def uv(command: str, *arguments: str) -> None:
        commands.append(command)
        if command == "venv":
            Path(arguments[-1]).mkdir()

    monkeypatch.setattr(environments, "_uv", uv)
    return commands


class TestServing:
    def test_scripts_of_peers_need_no_bongsu(self) -> None:
        script = "import sys; sys.modules['bongsu'] = None; import bench.peers.serving, bench.peers.behaviours"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603 - our own script
        assert done.returncode == 0, done.stderr


class TestInterpreter:
    def test_interpreter_is_the_present_when_there_are_no_requirements(self, peers: Path) -> None:
        assert not (peers / "other" / "requirements.txt").exists()
        assert interpreter("other", peers) == Path(sys.executable)

    def test_an_environment_is_made_once(self, peers: Path, installed: list[str]) -> None:
        (peers / "other" / "requirements.txt").write_text("other==2.0\n")
        pythons = {interpreter("other", peers, peers / "cache") for _ in range(2)}
        assert pythons == {peers / "cache" / "other" / "bin" / "python"}
        assert installed == ["venv", "pip"]

    def test_interpreter_is_rebuilt_when_its_requirements_change(self, peers: Path, installed: list[str]) -> None:
        for wanted in ("other==2.0\n", "other==2.1\n"):
            (peers / "other" / "requirements.txt").write_text(wanted)
            interpreter("other", peers, peers / "cache")
        assert installed == ["venv", "pip"] * 2

    def test_error_shows_the_last_line_of_the_installer(self, peers: Path) -> None:
        (peers / "other" / "requirements.txt").write_text("this is no requirement\n")
        with pytest.raises(NotInstalled, match=r"uv pip: ."):
            interpreter("other", peers, peers / "cache")

    def test_every_version_is_exact(self) -> None:
        files = sorted(environments.PEERS.glob("*/requirements.txt"))
        assert len(files) == 3
        for file in files:
            assert all("==" in line for line in file.read_text().splitlines()), file


class TestWorker:
    def test_worker_measures_both_sides(self) -> None:
        with Worker("ours") as worker:
            assert "sqlalchemy" in worker.hello["versions"]
            for side in comparison.SIDES:
                for work in comparison.WORKS:
                    assert worker.measure(side, work, 2) > 0

    def test_worker_reports_the_reason_when_it_ends_early(self, peers: Path) -> None:
        (peers / "other" / "worker.py").write_text("raise SystemExit('it answers 1, and Core 2')\n")
        with pytest.raises(WorkerFailed, match="it answers 1, and Core 2"), Worker("other", peers):
            pass


class TestCompare:
    def test_a_peer_that_cannot_be_measured_is_a_line_that_says_why(self, peers: Path) -> None:
        (peers / "other" / "worker.py").write_text("raise SystemExit('no such package')\n")
        assert compare(1, ["other"], peers) == [Measured("other", problem="no such package")]


class TestAsTable:
    def test_a_line_has_versions_ratios_times_and_the_note(self) -> None:
        line = " ".join(as_table([PEER]).splitlines()[2].split())
        assert line == "other 2.0 2.1.9 3.00x 600 µs 1.50x 300 µs 1.00x 200 µs has no async form"

    def test_missing_measurement_is_named(self) -> None:
        table = as_table([Measured("other", problem="no network")])
        assert table.splitlines()[2].split()[-4:] == ["not", "measured:", "no", "network"]


class TestAsDocument:
    def test_document_contains_times_and_ratio(self) -> None:
        (document,) = as_document([PEER])
        assert document["versions"] == PEER.versions
        costs = document["costs"]
        assert isinstance(costs, dict)
        assert costs["get"] == {"peer_s": 0.0003, "core_s": 0.0002, "ratio": pytest.approx(1.5)}


class TestBehaviours:
    def test_every_answer_of_the_mixins_is_right(self) -> None:
        done = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, environments.PEERS / "ours" / "behaviours.py"],
            env=os.environ | {"PYTHONPATH": str(environments.ROOT)},
            stdout=subprocess.PIPE,
            check=True,
        )
        assert json.loads(done.stdout)["answers"] == dict.fromkeys(CASES, RIGHT)

    def test_table_of_the_readme_has_every_case(self) -> None:
        readme = environments.ROOT / "shared" / "src" / "bongsu" / "mixins" / "README.md"
        rows = [line.split(" | ")[0].removeprefix("| ") for line in readme.read_text().splitlines()]
        assert [title for title in CASES if title not in rows] == []
