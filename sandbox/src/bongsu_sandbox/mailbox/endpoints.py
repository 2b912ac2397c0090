"""The mailbox over HTTP: JSON for programs and pages for browsers at the same addresses."""

from itertools import islice
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound
from bongsu_sandbox.line_file import json_page
from bongsu_sandbox.mailbox.frames import CSP, render_frame
from bongsu_sandbox.mailbox.schemas import Mail
from bongsu_sandbox.mailbox.service import Mailbox
from bongsu_sandbox.mailbox.source import build_source
from bongsu_sandbox.pages.negotiation import wants_page
from bongsu_sandbox.pages.rendering import ProvidedPages

PREFIX = "/sandbox/mailbox"
_PAGE_SIZE = 50
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_VIEWS = ("html", "text", "headers", "source")
_SOURCE_CHARACTERS = 200_000
_DATA_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept"}

router = APIRouter(prefix=PREFIX, tags=["mailbox"])


ProvidedMailbox = Annotated[Mailbox, Provided(Mailbox)]


async def _find(mail_id: str, mailbox: ProvidedMailbox) -> Mail:
    mail = mailbox.get(mail_id)
    if mail is None:
        raise NotFound("Mail not found; it may have been deleted")
    return mail


Found = Annotated[Mail, Depends(_find)]
Limit = Annotated[int | None, Query(ge=1, le=5000)]


@router.get("", summary="List mails, newest first")
async def read_mailbox(
    request: Request,
    mailbox: ProvidedMailbox,
    pages: ProvidedPages,
    to: Annotated[str | None, Query(description="A recipient's address, or a part of one without `@`")] = None,
    after: Annotated[str | None, Query(description="`next` of an earlier answer")] = None,
    limit: Limit = None,
) -> Response:
    """JSON, or a page for browsers."""
    if wants_page(request):
        mails = list(islice(mailbox.envelopes(to=to), _PAGE_SIZE + 1))
        context = {
            "place": "mailbox",
            "mails": mails[:_PAGE_SIZE],
            "more": len(mails) > _PAGE_SIZE,
            "to": to or "",
            "total": len(mailbox),
        }
        return pages.page(request, "mailbox.html", context)
    lines, following = mailbox.page(to=to, after=after, limit=limit)
    return Response(json_page(lines, following), media_type="application/json", headers=_DATA_HEADERS)


@router.delete("", status_code=204, summary="Delete every mail; the ledger stays")
async def clear_mailbox(mailbox: ProvidedMailbox) -> None:
    mailbox.clear()


@router.post("/clear", include_in_schema=False)
async def clear_by_form(mailbox: ProvidedMailbox) -> Response:
    mailbox.clear()
    return RedirectResponse(PREFIX, status_code=303)


@router.get("/{mail_id}", summary="Return a mail")
async def read_mail(
    request: Request, mail: Found, pages: ProvidedPages, mailbox: ProvidedMailbox, view: str = ""
) -> Response:
    """JSON, or a page for browsers; `view` is html, text, headers or source."""
    if not wants_page(request):
        return Response(mail.model_dump_json(), media_type="application/json", headers=_DATA_HEADERS)
    views = [name for name in _VIEWS if name in ("headers", "source") or getattr(mail, name) is not None]
    view = view if view in views else views[0]
    context: dict[str, object] = {"place": "mailbox", "mail": mail, "view": view, "views": views}
    if view == "source":
        source = _build_source(mail, mailbox).decode("ascii", "replace").replace("\r\n", "\n")
        context |= {"source": source[:_SOURCE_CHARACTERS], "is_cut": len(source) > _SOURCE_CHARACTERS}
    return pages.page(request, "mail.html", context)


@router.get("/{mail_id}/html", include_in_schema=False)
async def read_html(mail: Found) -> Response:
    return HTMLResponse(render_frame(mail), headers=_DATA_HEADERS | {"Content-Security-Policy": CSP})


@router.get("/{mail_id}/source", summary="Return the MIME message that SES builds of a mail")
async def read_source(mail: Found, mailbox: ProvidedMailbox) -> Response:
    headers = _DATA_HEADERS | {"Content-Disposition": f"attachment; filename={quote(mail.id)}.eml"}
    return Response(_build_source(mail, mailbox), media_type="message/rfc822", headers=headers)


def _build_source(mail: Mail, mailbox: Mailbox) -> bytes:
    paths = [mailbox.attachment(mail.id, number) for number in range(len(mail.attachments))]
    return build_source(mail, [path.read_bytes() if path is not None else b"" for path in paths])


@router.get("/{mail_id}/attachments/{number}", summary="Download an attachment")
async def read_attachment(mail: Found, number: int, mailbox: ProvidedMailbox) -> Response:
    path = mailbox.attachment(mail.id, number)
    if path is None:
        raise NotFound("Attachment not found")
    item = mail.attachments[number]
    headers = _DATA_HEADERS | {"Content-Security-Policy": "default-src 'none'; sandbox"}
    if item.content_type in _IMAGES:
        return Response(path.read_bytes(), media_type=item.content_type, headers=headers)
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(item.filename, safe='')}"
    return Response(path.read_bytes(), media_type="application/octet-stream", headers=headers)
