"""The mailbox over HTTP: JSON for programs, pages for browsers, at the same addresses."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from bongsu.runtime.errors import NotFound
from bongsu_sandbox.mailbox.frames import CSP, framed
from bongsu_sandbox.mailbox.schemas import Mail
from bongsu_sandbox.mailbox.service import Mailbox
from bongsu_sandbox.pages.negotiation import wants_page
from bongsu_sandbox.pages.rendering import Pages

PREFIX = "/sandbox/mailbox"
_PAGE_SIZE = 50
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_VIEWS = ("html", "text", "headers")
Limit = Annotated[int | None, Query(ge=1, le=5000)]


def create_router(mailbox: Mailbox, pages: Pages) -> APIRouter:
    """The routes of the mailbox."""
    router = APIRouter(prefix=PREFIX, tags=["mailbox"])

    @router.get("", summary="Mails, newest first")
    async def read_mailbox(
        request: Request, to: str | None = None, after: str | None = None, limit: Limit = None
    ) -> Response:
        if wants_page(request):
            return _list_page(request, to)
        lines, following = mailbox.page(to=to, after=after, limit=limit)
        body = b'{"items":[' + b",".join(lines) + b'],"next":' + _json_string(following) + b"}"
        return Response(body, media_type="application/json", headers=_DATA_HEADERS)

    def _list_page(request: Request, to: str | None) -> Response:
        mails = []
        more = False
        for mail in mailbox.envelopes(to=to):
            if len(mails) == _PAGE_SIZE:
                more = True
                break
            mails.append(mail)
        context = {"place": "mailbox", "mails": mails, "more": more, "to": to or "", "total": len(mailbox)}
        return pages.page(request, "mailbox.html", context)

    @router.delete("", status_code=204, summary="Throw every mail away; the ledger stays")
    async def clear_mailbox() -> None:
        mailbox.clear()

    @router.post("/clear", include_in_schema=False)
    async def clear_by_form() -> Response:
        mailbox.clear()
        return RedirectResponse(PREFIX, status_code=303)

    @router.get("/{mail_id}", summary="One mail")
    async def read_mail(request: Request, mail_id: str, view: str = "") -> Response:
        mail = _find(mail_id)
        if not wants_page(request):
            return Response(mail.model_dump_json(), media_type="application/json", headers=_DATA_HEADERS)
        views = [name for name in _VIEWS if name == "headers" or getattr(mail, name) is not None]
        shown = view if view in views else views[0]
        context = {"place": "mailbox", "mail": mail, "view": shown, "views": views, "total": len(mailbox)}
        return pages.page(request, "mail.html", context)

    @router.get("/{mail_id}/html", include_in_schema=False)
    async def read_html(mail_id: str) -> Response:
        return HTMLResponse(framed(_find(mail_id)), headers=_DATA_HEADERS | {"Content-Security-Policy": CSP})

    @router.get("/{mail_id}/attachments/{number}", summary="The content of an attachment")
    async def read_attachment(mail_id: str, number: int) -> Response:
        mail = _find(mail_id)
        path = mailbox.attachment(mail_id, number)
        if path is None or number >= len(mail.attachments):
            raise NotFound("There is no such attachment")
        item = mail.attachments[number]
        headers = _DATA_HEADERS | {"Content-Security-Policy": "default-src 'none'; sandbox"}
        if item.content_type in _IMAGES:
            return Response(path.read_bytes(), media_type=item.content_type, headers=headers)
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(item.filename, safe='')}"
        return Response(path.read_bytes(), media_type="application/octet-stream", headers=headers)

    def _find(mail_id: str) -> Mail:
        mail = mailbox.get(mail_id)
        if mail is None:
            raise NotFound("There is no such mail; it may have been cleared")
        return mail

    return router


_DATA_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept"}


def _json_string(value: str | None) -> bytes:
    return b"null" if value is None else b'"' + value.encode() + b'"'
