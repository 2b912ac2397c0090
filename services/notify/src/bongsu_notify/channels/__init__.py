"""Ways to reach a person: one port, a file an adapter."""
