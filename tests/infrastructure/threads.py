"""A dependency or endpoint that is a `def` fails every test that calls it.

FastAPI (0.165) would run it in a thread, which takes longer than what most of them do.
"""

from collections.abc import Callable
from typing import NoReturn

from fastapi import routing
from fastapi.dependencies import utils


async def _refuse(call: Callable[..., object], **_values: object) -> NoReturn:
    raise AssertionError(f"FastAPI would run {call!r} in a thread: make it an `async def`")


for _module in (utils, routing):
    vars(_module)["run_in_threadpool"] = _refuse
