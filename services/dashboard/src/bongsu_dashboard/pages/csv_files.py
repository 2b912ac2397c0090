"""CSV files (RFC 4180) that spreadsheets open as they are."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import ContentStream, StreamingResponse

from bongsu_dashboard.pages.rendering import PAGE_HEADERS

BOM: Final = "\ufeff"
"""By which Excel recognises UTF-8."""


def write_lines(rows: Iterable[Sequence[object]]) -> str:
    """Write rows. None is an empty cell."""
    text = io.StringIO()
    csv.writer(text).writerows([_as_text(value) for value in row] for row in rows)
    return text.getvalue()


def download(lines: ContentStream, name: str) -> StreamingResponse:
    """Answer with the lines as a file of this name."""
    headers = {**PAGE_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _as_text(value: object) -> str:
    """Quote what a spreadsheet would run as a formula (OWASP, CSV injection)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
