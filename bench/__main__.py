"""``python -m bench [--only WORD] [--rounds N] [--json FILE]``: run the benchmarks.

The exit code is 1 if a budget is missed.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from bench import mixins, tokens
from bench.measure import run
from bench.report import as_json, table

BENCHMARKS = (*mixins.BENCHMARKS, *tokens.BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure ours against the baselines.")
    parser.add_argument("--only", default="", metavar="WORD", help="the benchmarks whose name contains WORD")
    parser.add_argument("--rounds", type=int, default=15, help="how often each side is measured (default: 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE, or to - for stdout")
    arguments = parser.parse_args()
    chosen = [benchmark for benchmark in BENCHMARKS if arguments.only in benchmark.name]
    if not chosen:
        parser.error(f"no benchmark is called {arguments.only!r}: " + ", ".join(b.name for b in BENCHMARKS))
    results = []
    for number, benchmark in enumerate(chosen, 1):
        sys.stderr.write(f"[{number}/{len(chosen)}] {benchmark.name}\n")
        results.append(asyncio.run(run(benchmark, arguments.rounds)))
    if arguments.json is None or str(arguments.json) != "-":
        print(table(results))
    if arguments.json is not None:
        text = as_json(results) + "\n"
        if str(arguments.json) == "-":
            sys.stdout.write(text)
        else:
            arguments.json.write_text(text)
    return 0 if all(result.is_kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
