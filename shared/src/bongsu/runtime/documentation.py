"""The pages that show an API's OpenAPI document, with their own files: no script of another site runs on our origin."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, FastAPI, Query, Request, Response
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
_TEXTS: Final = frozenset({"summary", "description"})
SAMPLES: Final = "x-codeSamples"
"""The extension of OpenAPI by which other tools show samples."""
_SAMPLE: Final = "\n\n**"
"""How a sample's name begins in a description, which has no other bold text."""
_SENTENCE_END: Final = re.compile(r"\.(?:\s+|$)")
# The library writes inline styles; scripts come from here only.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Sample(NamedTuple):
    """A piece of code that calls an operation. `language` is that of a code block in Markdown."""

    label: str
    language: str
    source: str


def document_samples(*samples: Sample) -> dict[str, Any]:
    """Return the `openapi_extra` of an operation with samples, which its description then shows as well."""
    return {SAMPLES: [{"label": one.label, "lang": one.language, "source": one.source} for one in samples]}


def _show(samples: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"{_SAMPLE}{one['label']}**\n\n```{one['lang']}\n{one['source']}```" for one in samples)


class Api(FastAPI):
    """A FastAPI application whose operations have the first sentence of their docstring as title.

    Samples of an operation are below its description: Swagger UI shows no `x-codeSamples`.

    :ivar korean: Korean titles, tags and descriptions of the document by their English ones.
    """

    korean: Mapping[str, str] = MappingProxyType({})

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document. FastAPI takes titles from the names of functions, which are for developers."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    title, *rest = _SENTENCE_END.split(operation.pop("description", operation["summary"]), maxsplit=1)
                    operation["summary"] = " ".join(title.replace("`", "").split())  # shown as plain text
                    if rest and rest[0]:
                        operation["description"] = rest[0]
                    if samples := operation.get(SAMPLES):
                        operation["description"] = operation.get("description", "") + _show(samples)
        return super().openapi()

    @cached_property
    def korean_openapi(self) -> bytes:
        """The OpenAPI document in Korean, as JSON."""
        return bytes(JSONResponse(_translate(self.openapi(), lambda text: self.korean.get(text, text))).body)


def read_texts(package: str, name: str) -> dict[str, str]:
    """Read a JSON file of texts by their English originals from a package."""
    texts: dict[str, str] = json.loads((files(package) / name).read_text(encoding="utf-8"))
    return texts


def _translate(document: object, translate: Callable[[str], str]) -> object:
    if isinstance(document, list):
        return [_translate(each, translate) for each in document]
    if not isinstance(document, dict):
        return document
    return _translate_members(document, translate)


def _translate_members(document: Mapping[str, object], translate: Callable[[str], str]) -> dict[str, object]:
    return {key: _translate_member(key, value, translate) for key, value in document.items()}


def _translate_member(key: str, value: object, translate: Callable[[str], str]) -> object:
    # A property may have one of these names too: its value is a schema.
    if key in _TEXTS and isinstance(value, str):
        return _translate_text(value, translate)
    if key == "tags" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [translate(one) for one in value]
    if key == "info" and isinstance(value, dict) and "version" in value:
        return {**_translate_members(value, translate), "title": translate(value["title"])}
    return _translate(value, translate)


def _translate_text(text: str, translate: Callable[[str], str]) -> str:
    prose, begin, samples = text.partition(_SAMPLE)
    return translate(prose) + begin + samples


router: Final = APIRouter(include_in_schema=False)
"""The page, the files that it needs below it, and the Korean document, for any `Api` that includes it."""


@router.get("/docs")
async def page(request: Request, lang: Annotated[str, Query(max_length=8)] = "") -> HTMLResponse:
    api: Api = request.app
    accepted = request.headers.get("Accept-Language")
    language = lang if lang in _LANGUAGES else preferred_language(accepted, _LANGUAGES, default="en")
    title = api.korean.get(api.title, api.title) if language == "ko" else api.title
    html = _read("page.html").decode().replace("{title}", escape(title))
    html = html.replace("{lang}", language)
    html = html.replace("{document}", "openapi.ko.json" if language == "ko" else "openapi.json")
    html = html.replace(f'hreflang="{language}"', f'hreflang="{language}" aria-current="true"')
    headers = {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Language",
    }
    return HTMLResponse(html, headers=headers)


@router.get("/openapi.ko.json")
async def korean_document(request: Request) -> Response:
    api: Api = request.app
    return Response(api.korean_openapi, media_type="application/json")


@router.get("/docs/{name}")
async def file(name: str) -> Response:
    if name not in _TYPES:
        raise RouteNotFound
    content = design.read_file(name) if name in design.NAMES else _read(name)
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=_TYPES[name], headers=headers)


@cache
def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
