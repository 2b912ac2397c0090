"""The `Allow` header of a path that several routes share."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def headers_of(request: Request, error: HTTPException) -> Mapping[str, str]:
    """The headers of a framework error, with every method of the path in `Allow`.

    FastAPI has one route a method, and names only the methods of the first route that has the path.
    """
    headers = dict(error.headers or {})
    if error.status_code == 405 and "Allow" in headers:
        headers["Allow"] = ", ".join(_methods(request)) or headers["Allow"]
    return headers


def _methods(request: Request) -> list[str]:
    scope = {name: request.scope[name] for name in ("type", "path", "root_path") if name in request.scope}
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
