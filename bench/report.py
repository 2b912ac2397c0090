"""How results are shown: a table for people, JSON for machines."""

import json
import platform
from collections.abc import Sequence

from bench.measure import Result

HEADINGS = ("benchmark", "clock", "ours", "baseline", "ratio", "budget", "")


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def verdict(result: Result) -> str:
    if result.counts is not None and result.counts[0] > result.counts[1]:
        return f"MISSED: {result.counts[0]} statements for {result.counts[1]}"
    if result.budget is None:
        return "report"
    return "kept" if result.is_kept else "MISSED"


def table(results: Sequence[Result]) -> str:
    rows = [
        (
            result.name,
            result.clock.value,
            duration(result.ours_s),
            duration(result.baseline_s),
            f"{result.ratio:.2f}x",
            str(result.budget or "-"),
            verdict(result),
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in (HEADINGS, *rows)) for column in range(len(HEADINGS))]
    lines = [HEADINGS, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_json(results: Sequence[Result], peers: Sequence[dict[str, object]] = ()) -> str:
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "results": [
            {
                "name": result.name,
                "clock": result.clock.value,
                "ours_s": result.ours_s,
                "baseline_s": result.baseline_s,
                "ratio": result.ratio,
                "budget": str(result.budget) if result.budget else None,
                "kept": result.is_kept,
                "statements": result.counts,
                "samples": {"ours_s": result.samples[0], "baseline_s": result.samples[1]},
            }
            for result in results
        ],
        "peers": list(peers),
    }
    return json.dumps(document, indent=2)
