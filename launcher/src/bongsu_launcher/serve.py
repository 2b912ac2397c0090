"""`bongsu serve`: runs one service, as its own `python -m` does."""

import argparse
import importlib
from typing import Final

from bongsu.process.server import Main

SERVICES: Final = {
    "auth": ("bongsu_auth.__main__", "api"),
    "notify": ("bongsu_notify.__main__", "api"),
    "worker": ("bongsu_notify.__main__", "worker"),
    "relay": ("bongsu.outbox.__main__", "relay"),
    "dashboard": ("bongsu_dashboard.__main__", "pages"),
    "bot": ("bongsu_bot.__main__", "bot"),
    "sandbox": ("bongsu_sandbox.__main__", "main"),
}
"""Imported by name, so that a service's process does not load the other services."""


def process(options: argparse.Namespace) -> Main:
    """The main coroutine of a service."""
    module, name = SERVICES[options.service]
    main: Main = getattr(importlib.import_module(module), name)
    return main
