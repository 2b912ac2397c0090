"""Static files, at addresses that change with their content, so that browsers may cache them forever."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response

from bongsu.runtime import design
from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound

PREFIX: Final = "/static"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""For an image that is opened by itself. Shorter than the policy of pages, which would be sent with every file."""
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in memory."""

    digest: str
    content: bytes
    compressed: bytes
    media_type: str


class Assets:
    """The style sheets, scripts and images of the package, and those that every service shares, in memory."""

    def __init__(self) -> None:
        self._files: dict[str, Asset] = {}
        self._read(resources.files("bongsu_dashboard").joinpath("static"), "")
        for name in design.NAMES:
            self._add(name, design.read_file(name))

    def _read(self, folder: Traversable, prefix: str) -> None:
        for item in folder.iterdir():
            name = f"{prefix}{item.name}"
            if item.is_dir():
                self._read(item, f"{name}/")
            elif name.rpartition(".")[2] in _TYPES:
                self._add(name, item.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:16]
        media_type = _TYPES[name.rpartition(".")[2]]
        self._files[name] = Asset(digest, content, gzip.compress(content, 9, mtime=0), media_type)

    def url(self, name: str) -> str:
        return f"{PREFIX}/{self._files[name].digest}/{name}"

    def find(self, name: str) -> Asset | None:
        return self._files.get(name)


router = APIRouter(include_in_schema=False)


@router.get(PREFIX + "/{digest}/{name:path}")
async def serve_asset(
    digest: str, name: str, request: Request, assets: Annotated[Assets, Provided(Assets)]
) -> Response:
    found = assets.find(name)
    if found is None:
        raise NotFound("File not found")
    # Another digest comes from a page of another version while replicas are being replaced.
    caching = _IMMUTABLE if digest == found.digest else "no-cache"
    headers = {
        "Cache-Control": caching,
        "Vary": "Accept-Encoding",
        "ETag": f'"{found.digest}"',
        "Content-Security-Policy": POLICY,
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.compressed, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.get("/favicon.ico")
async def serve_favicon(assets: Annotated[Assets, Provided(Assets)]) -> Response:
    mark = assets.find("mark.svg")
    if mark is None:
        raise NotFound("File not found")
    return Response(mark.content, media_type=mark.media_type, headers={"Cache-Control": "public, max-age=86400"})
