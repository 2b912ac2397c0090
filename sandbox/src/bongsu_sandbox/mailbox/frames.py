"""The HTML of a mail for a frame that runs no scripts and loads nothing from other sites."""

import re
from urllib.parse import quote

from bongsu_sandbox.mailbox.schemas import Mail

CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_BASE = '<base target="_blank">'
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
_HTML = re.compile(r"<html(\s[^>]*)?>", re.IGNORECASE)
_CID = re.compile(r"(?<=[\"'(])cid:([^\"')\s]+)", re.IGNORECASE)


def render_frame(mail: Mail) -> str:
    """Return the HTML with links that open outside the frame, and with its inline images."""
    html = _CID.sub(lambda found: _image(mail, found), mail.html or "")
    for place in (_HEAD, _HTML):
        match = place.search(html)
        if match is not None:
            return html[: match.end()] + _BASE + html[match.end() :]
    return f"<!doctype html>{_BASE}{html}"


def _image(mail: Mail, found: re.Match[str]) -> str:
    for number, item in enumerate(mail.attachments):
        if item.content_id is not None and item.content_id.strip("<>") == found[1]:
            return f"/sandbox/mailbox/{quote(mail.id)}/attachments/{number}"
    return found[0]
