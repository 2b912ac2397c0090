"""``python -m bench.peers.behaviours``: the table of the mixins' README, by running `cases` in each environment."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

from bench.peers.comparison import TITLES
from bench.peers.environments import PEERS, ROOT, interpreter

LIMIT_S = 300


def main() -> None:
    found = {}
    for name in TITLES:
        if (PEERS / name / "behaviours.py").exists():
            done = subprocess.run(  # noqa: S603 - the interpreter and the script are ours
                [interpreter(name), "-W", "ignore", PEERS / name / "behaviours.py"],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=LIMIT_S,
            )
            found[name] = json.loads(done.stdout)
    versions = [f"{name} {one['versions'].get(name, '')}".strip() for name, one in found.items() if name != "ours"]
    alchemy = found["ours"]["versions"]["sqlalchemy"]
    sys.stdout.write(f"Run on {datetime.now(UTC):%Y-%m-%d} with {', '.join(versions)} and SQLAlchemy {alchemy}.\n\n")
    sys.stdout.write(f"| | {' | '.join(TITLES[name] for name in found)} |\n|{'---|' * (len(found) + 1)}\n")
    for title in found["ours"]["answers"]:
        cells = (one["answers"][title].replace("|", "\\|") for one in found.values())
        sys.stdout.write(f"| {title} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
