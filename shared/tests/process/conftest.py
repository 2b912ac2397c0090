"""The fixtures of the adapters' suites that a process opens."""

from shared.tests.broker.conftest import rabbit_server
from shared.tests.identity.conftest import database, vault

__all__ = ["database", "rabbit_server", "vault"]
