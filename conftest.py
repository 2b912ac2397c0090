"""Fixtures that every test may use: `tests/infrastructure/servers.py` lists them."""

pytest_plugins = ["pytester", "tests.infrastructure.servers"]
