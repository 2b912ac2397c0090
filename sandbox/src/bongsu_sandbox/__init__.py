"""Stand-ins for the providers on one local address, for demos, tests and benchmarks. Never deploy it."""
