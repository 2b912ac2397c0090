"""Stand-ins for the providers, on one local address: for demos, tests and benchmarks; never deployed for real."""
