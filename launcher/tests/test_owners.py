import subprocess
import sys
from pathlib import Path

LOADED = """
import sys
import bongsu_launcher.owners
print(*sorted(name for name in sys.modules if name.endswith(".models") and name.startswith("bongsu_")))
"""
SERVICES = Path(__file__).parents[2] / "services"


def test_models_of_every_feature_are_loaded_in_a_process_that_runs_no_service() -> None:
    """`bongsu migrate` grants privileges on their tables. Other tests load them too, so the process is a new one."""
    done = subprocess.run(  # noqa: S603 - the interpreter and the script are ours
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    files = [path.relative_to(path.parents[2]) for path in SERVICES.glob("*/src/*/*/models.py")]
    assert done.stdout.split() == sorted(".".join(file.with_suffix("").parts) for file in files)
    assert len(files) > 10
