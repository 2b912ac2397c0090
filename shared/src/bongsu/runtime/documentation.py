"""The pages that show an API's OpenAPI document, with their own files: no script of another site runs on our origin."""

import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from bongsu.runtime import design
from bongsu.runtime.errors import RouteNotFound
from bongsu.runtime.negotiation import preferred_language

_FOLDER: Final = files("bongsu.runtime") / "api_docs"
_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "theme.css": "text/css",
    "tokens.css": "text/css",
    "mark.svg": "image/svg+xml",
}
_LANGUAGES: Final = ("en", "ko")
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


def read_texts(package: str, name: str) -> dict[str, str]:
    """Read a JSON file of texts by their English originals from a package."""
    texts: dict[str, str] = json.loads((files(package) / name).read_text(encoding="utf-8"))
    return texts


def list_texts(document: object) -> list[str]:
    """List the titles of operations and the descriptions in an OpenAPI document, in its order."""
    if isinstance(document, dict):
        return [
            text for key, value in document.items() for text in ([value] if _is_text(key, value) else list_texts(value))
        ]
    return [text for each in document for text in list_texts(each)] if isinstance(document, list) else []


def _translate(document: object, texts: Mapping[str, str]) -> object:
    if isinstance(document, dict):
        return {
            key: texts.get(value, value) if _is_text(key, value) else _translate(value, texts)
            for key, value in document.items()
        }
    return [_translate(each, texts) for each in document] if isinstance(document, list) else document


def _is_text(key: str, value: object) -> bool:
    # A property may have one of these names too: its value is a schema.
    return key in {"summary", "description"} and isinstance(value, str)


def add_documentation(app: FastAPI, prefix: str, korean: Mapping[str, str]) -> None:
    """Add `{prefix}/docs`, the files that it needs below it, and `{prefix}/openapi.ko.json`.

    :param korean: Korean titles and descriptions by their English ones.
    """

    @app.get(f"{prefix}/docs", include_in_schema=False)
    async def page(request: Request, lang: Annotated[str, Query(max_length=8)] = "") -> HTMLResponse:
        accepted = request.headers.get("Accept-Language")
        language = lang if lang in _LANGUAGES else preferred_language(accepted, _LANGUAGES, default="en")
        html = _read("page.html").decode().replace("{title}", escape(app.title))
        html = html.replace("{lang}", language)
        html = html.replace("{document}", "openapi.ko.json" if language == "ko" else "openapi.json")
        html = html.replace(f'hreflang="{language}"', f'hreflang="{language}" aria-current="true"')
        headers = {
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Language",
        }
        return HTMLResponse(html, headers=headers)

    @cache
    def korean_content() -> bytes:
        return bytes(JSONResponse(_translate(app.openapi(), korean)).body)

    @app.get(f"{prefix}/openapi.ko.json", include_in_schema=False)
    async def korean_document() -> Response:
        return Response(korean_content(), media_type="application/json")

    @app.get(f"{prefix}/docs/{{name}}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in _TYPES:
            raise RouteNotFound
        content = design.read_file(name) if name in design.NAMES else _read(name)
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=_TYPES[name], headers=headers)


@cache
def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
