"""``python -m bench [--only WORD] [--rounds N] [--json FILE] [--no-peers]``: run the benchmarks.

The exit code is 1 if a budget is missed. The comparison of the mixins with other libraries has no budget, and a library
that cannot be installed (no network) is a line of the table that says so: `--no-peers` does not try.
"""

import argparse
import sys
from pathlib import Path

from bench import accept, codes, deliver, login, mixins, pacing, pages, pipeline, tokens
from bench.databases import MYSQL_VARIABLE, has_mysql
from bench.measure import Latency, run, run_latency
from bench.peers import comparison
from bench.process import logging_as_a_process_does, run_as_a_process_does
from bench.report import as_json, table

MODULES = (mixins, tokens, login, accept, deliver, pipeline)
BENCHMARKS = tuple(benchmark for module in MODULES for benchmark in module.BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure ours against the baselines.")
    parser.add_argument("--only", default="", metavar="WORD", help="the benchmarks whose name contains WORD")
    parser.add_argument("--rounds", type=int, default=15, help="how often each side is measured (default: 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE, or to - for stdout")
    parser.add_argument(
        "--no-peers", dest="peers", action="store_false", help="leave the comparison with other libraries out"
    )
    arguments = parser.parse_args()
    chosen = [benchmark for benchmark in BENCHMARKS if arguments.only in benchmark.name]
    with_peers = arguments.peers and arguments.only in comparison.NAME
    scenarios = [one for one in (pages, pacing, codes) if one.can_measure() and arguments.only in one.NAME]
    names = [one.name for one in chosen] + [one.NAME for one in scenarios] + [comparison.NAME] * with_peers
    if not has_mysql():
        sys.stderr.write(f"Not measured on MySQL: set {MYSQL_VARIABLE}\n")
    if not names:
        every = [benchmark.name for benchmark in BENCHMARKS] + [comparison.NAME] * arguments.peers
        parser.error(f"no benchmark is called {arguments.only!r}: " + ", ".join(every))
    results = []
    verdicts: list[pages.Page | pacing.Pacing | codes.Delay] = []
    with logging_as_a_process_does():
        for number, benchmark in enumerate(chosen, 1):
            sys.stderr.write(f"[{number}/{len(names)}] {benchmark.name}\n")
            if isinstance(benchmark, Latency):
                results.append(run_as_a_process_does(run_latency(benchmark, arguments.rounds)))
            else:
                results.append(run_as_a_process_does(run(benchmark, arguments.rounds)))
        for number, scenario in enumerate(scenarios, len(chosen) + 1):
            sys.stderr.write(f"[{number}/{len(names)}] {scenario.NAME}\n")
            verdicts += run_as_a_process_does(scenario.measure())
    peers = []
    if with_peers:
        sys.stderr.write(f"[{len(names)}/{len(names)}] {comparison.NAME}\n")
        peers = comparison.compare(arguments.rounds)
    if arguments.json is None or str(arguments.json) != "-":
        parts = [
            table(results) if results else "",
            "\n".join(map(str, verdicts)),
            comparison.as_table(peers) if peers else "",
        ]
        print("\n\n".join(part for part in parts if part))
    if arguments.json is not None:
        text = as_json(results, comparison.as_document(peers)) + "\n"
        if str(arguments.json) == "-":
            sys.stdout.write(text)
        else:
            arguments.json.write_text(text)
    return 0 if all(one.is_kept for one in (*results, *verdicts)) else 1


if __name__ == "__main__":
    sys.exit(main())
