"""The pages that show an API's OpenAPI document, with their own files: no script of another site runs on our origin."""

import re
from html import escape
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

from bongsu.runtime import design
from bongsu.runtime.errors import RouteNotFound

_FOLDER: Final = files("bongsu.runtime") / "api_docs"
_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "theme.css": "text/css",
    "tokens.css": "text/css",
    "mark.svg": "image/svg+xml",
}
_SENTENCE_END: Final = re.compile(r"\.(?:\s+|$)")
# The library writes inline styles; scripts come from here only.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Api(FastAPI):
    """A FastAPI application whose operations have the first sentence of their docstring as title."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document. FastAPI takes titles from the names of functions, which are for developers."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    title, *rest = _SENTENCE_END.split(operation.pop("description", operation["summary"]), maxsplit=1)
                    operation["summary"] = " ".join(title.replace("`", "").split())  # shown as plain text
                    if rest and rest[0]:
                        operation["description"] = rest[0]
        return super().openapi()


def add_documentation(app: FastAPI, prefix: str) -> None:
    """Add `{prefix}/docs` and the files that it needs below it."""

    @app.get(f"{prefix}/docs", include_in_schema=False)
    def page() -> HTMLResponse:
        html = (_FOLDER / "page.html").read_text(encoding="utf-8").replace("{title}", escape(app.title))
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"})

    @app.get(f"{prefix}/docs/{{name}}", include_in_schema=False)
    def file(name: str) -> Response:
        if name not in _TYPES:
            raise RouteNotFound
        content = design.read_file(name) if name in design.NAMES else (_FOLDER / name).read_bytes()
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=_TYPES[name], headers=headers)
