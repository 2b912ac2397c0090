"""The table of faults names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFERENCE = re.compile(r"`([\w./-]+\.py)::(\w+)`")


class TestFaultTable:
    def test_every_row_names_tests_that_exist(self) -> None:
        rows = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if line.startswith("| ")][1:]
        assert len(rows) > 20
        for row in rows:
            references = REFERENCE.findall(row)
            assert references, row
            for path, name in references:
                assert f"\nclass {name}:" in (ROOT / path).read_text(), f"{path}::{name}"
