"""Rendering of the sandbox's pages, and their static files."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from bongsu.runtime import design
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound
from bongsu_sandbox.pages.negotiation import LANGUAGES, language

_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PAGE_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language",
}


router = APIRouter(include_in_schema=False)


@cache
def _environment() -> jinja2.Environment:
    """One a process: to compile the templates takes longer than to render a page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bongsu_sandbox"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, detail=detail)
    return environment


@cache
def _read_assets() -> Mapping[str, bytes]:
    folder = resources.files("bongsu_sandbox").joinpath("static")
    assets = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
    return assets | {name: design.read_file(name) for name in design.NAMES}


class Pages:
    """Renders templates in the reader's language."""

    def __init__(self) -> None:
        self.assets = _read_assets()
        self._texts = {code: read_texts(code) for code in LANGUAGES}
        self._environment = _environment()

    def asset_url(self, name: str) -> str:
        """Return the address of a static file, which changes with its content."""
        digest = hashlib.sha256(self.assets[name]).hexdigest()[:10]
        return f"/sandbox/static/{name}?v={digest}"

    def page(
        self, request: Request, template: str, context: Mapping[str, object], *, status_code: int = 200
    ) -> HTMLResponse:
        code = language(request)
        html = self._environment.get_template(template).render(
            lang=code, t=self._texts[code], asset=self.asset_url, **context
        )
        return HTMLResponse(html, status_code=status_code, headers={**PAGE_HEADERS, "Content-Language": code})


ProvidedPages = Annotated[Pages, Provided(Pages)]


@router.get("/sandbox/static/{name}")
async def serve_asset(name: str, pages: ProvidedPages) -> Response:
    content = pages.assets.get(name)
    if content is None:
        raise NotFound("File not found")
    return Response(
        content,
        media_type=_MEDIA_TYPES[name.rpartition(".")[2]],
        headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
    )


@cache
def read_texts(code: str) -> dict[str, Any]:
    """Read the pages' texts in a language; those of Discord's pages are in the table `discord`."""
    return tomllib.loads(resources.files("bongsu_sandbox").joinpath("texts", f"{code}.toml").read_text("utf-8"))


def detail(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={part}" for name, part in value.items())
    return ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def clock(moment: datetime) -> str:
    """Format a time in this machine's zone, with the date unless it is today."""
    local = moment.astimezone()
    today = datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")
