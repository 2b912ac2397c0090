"""What an app's routes say of a path beside the one that answers it."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.routing import Match

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def headers_of(request: Request, error: HTTPException) -> Mapping[str, str]:
    """The header fields of an error of the framework's, where `Allow` names every method that the path has.

    The framework has one route a method, and tells those of the first route with that path.
    """
    headers = dict(error.headers or {})
    if error.status_code == 405 and "Allow" in headers:
        headers["Allow"] = ", ".join(_methods(request)) or headers["Allow"]
    return headers


def _methods(request: Request) -> list[str]:
    asked = {name: request.scope[name] for name in ("type", "path", "root_path") if name in request.scope}
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    ]
