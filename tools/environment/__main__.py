"""``python -m tools.environment``: write what follows from the settings classes; the names of what changed."""

import sys
from pathlib import Path

from tools.environment.reference import written


def main(root: Path) -> int:
    for path, text in written(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(root)} has changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
