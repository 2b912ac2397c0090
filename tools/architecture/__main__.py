"""``python -m tools.architecture [ROOT]``: check source rules and language; the exit code is 1 if one is broken."""

import sys
from pathlib import Path

from tools.architecture import language, source_rules


def main(root: Path) -> int:
    found = [*source_rules.violations(root), *language.violations(root)]
    for violation in found:
        sys.stderr.write(f"{violation}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
