"""Benchmarks: ours against a baseline in the same run, interleaved, the ratio compared with its budget."""
