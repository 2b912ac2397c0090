"""The methods of the RPC server (the bot's IPC). Each feature registers its own, in its `handlers.py`."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

from pydantic import ValidationError

from bongsu.broker import JsonObject, RpcError
from bongsu.contracts.rpc import RpcAnswer, RpcRequest

Request = TypeVar("Request", bound=RpcRequest[Any])


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler knows of a call besides its request: the deadline (Unix time), and the user who acts."""

    deadline: float
    actor: UUID | None = None

    @property
    def remaining_s(self) -> float:
        """The time until the deadline; never 0, which a time-out would take for no time-out."""
        return max(self.deadline - time.time(), 0.001)

    @property
    def actor_id(self) -> UUID:
        """The user whose assertion the request holds; the server has verified it.

        :raises LookupError: the request is no `GuildCommand`.
        """
        if self.actor is None:
            raise LookupError("the request holds no assertion: derive it from GuildCommand")
        return self.actor


Handler = Callable[[Request, Call], Awaitable[RpcAnswer]]
"""Answers a request. The request's class says where it runs and whether the server verifies an assertion first."""


class Registry:
    """The RPC methods by name. No other method can be called."""

    def __init__(self) -> None:
        self._methods: dict[str, tuple[type[RpcRequest[Any]], Handler[Any]]] = {}

    def add(self, request: type[Request], handler: Handler[Request]) -> None:
        """Register the handler of a request's method.

        :raises TypeError: the handler returns another answer than the request declares.
        :raises ValueError: the method is registered already.
        """
        method = request.model_fields["method"].default
        answer = get_type_hints(handler).get("return")
        if answer is not request.answer_type():
            raise TypeError(f"{method} is answered with {request.answer_type().__name__}, not with {answer}")
        if method in self._methods:
            raise ValueError(f"{method} is registered already")
        self._methods[method] = (request, handler)

    def read(self, body: JsonObject) -> tuple[RpcRequest[Any], Handler[Any]]:
        """Validate a request, and find its handler.

        :raises RpcError: `unknown_method` or `invalid_request`.
        """
        method = body.get("method")
        if not isinstance(method, str) or method not in self._methods:
            raise RpcError("unknown_method", "The bot has no such method")
        request, handler = self._methods[method]
        try:
            return request.model_validate(body), handler
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RpcError("invalid_request", f"{where}: {first['msg']}") from None
