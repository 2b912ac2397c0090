"""The MIME message that SES builds of a simple or templated mail: what the recipient's server receives."""

import re
from collections.abc import Sequence
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import formataddr
from typing import Final

from bongsu_sandbox.mailbox.schemas import Attachment, Mail

_POLICY: Final = compat32.clone(linesep="\r\n", mangle_from_=False)
_MAX_LINE_BYTES: Final = 998
_ADDRESS_HEADERS: Final = ("From", "To", "Cc", "Reply-To")
_ADDRESS: Final = re.compile(
    r"(?:(?P<bare>[^\s,<>]+@[^\s,<>]+)|(?P<name>.*?) <(?P<address>[^\s<>]+@[^\s<>]+)>)(?:, |$)"
)


def build_source(mail: Mail, contents: Sequence[bytes]) -> bytes:
    """Return the message with CRLF line ends.

    :param contents: those of its attachments, in order.
    """
    root = _build_body(mail)
    inline = [file for file in zip(mail.attachments, contents, strict=True) if file[0].content_id is not None]
    apart = [file for file in zip(mail.attachments, contents, strict=True) if file[0].content_id is None]
    for subtype, files in (("related", inline), ("mixed", apart)):
        if files:
            body, root = root, MIMEMultipart(subtype)
            root.attach(body)
            for attachment, content in files:
                root.attach(_build_file(attachment, content))
    about_content = root.items()
    for name, _ in about_content:
        del root[name]
    for name, value in mail.headers.items():
        root[name] = _encode_addresses(value) if name in _ADDRESS_HEADERS else _encode(value, name)
    for name, value in about_content:
        if name != "MIME-Version":
            root[name] = value
    for part in root.walk():
        if part is not root:
            del part["MIME-Version"]
    return root.as_bytes(policy=_POLICY)


def _build_body(mail: Mail) -> Message:
    parts = [_build_text(text, kind) for text, kind in ((mail.text, "plain"), (mail.html, "html")) if text is not None]
    if len(parts) == 1:
        return parts[0]
    alternative = MIMEMultipart("alternative")
    for part in parts:
        alternative.attach(part)
    return alternative


def _build_text(text: str, kind: str) -> Message:
    """7bit if possible, quoted-printable if most of it is ASCII, else base64."""
    part = MIMENonMultipart("text", kind, charset="UTF-8")
    content = text.encode("utf-8", "replace")
    is_short = all(len(line) <= _MAX_LINE_BYTES for line in content.split(b"\n"))
    if content.isascii() and is_short and not re.search(rb"[\r\0]", content):
        part["Content-Transfer-Encoding"] = "7bit"
        part.set_payload(text)
        return part
    charset = Charset("utf-8")
    if "\r" not in text and 3 * sum(byte > 126 for byte in content) < len(content):
        charset.body_encoding = QP
    del part["Content-Type"]
    part["Content-Type"] = f"text/{kind}"
    part.set_payload(content.decode(), charset)
    return part


def _build_file(attachment: Attachment, content: bytes) -> Message:
    main, _, sub = attachment.content_type.partition("/")
    part = MIMEBase(main, sub)
    part.set_payload(content)
    encode_base64(part)
    filename = _one_line(attachment.filename)
    name = filename if filename.isascii() else ("utf-8", "", filename)
    disposition = "inline" if attachment.content_id is not None else "attachment"
    part.add_header("Content-Disposition", disposition, filename=name)
    if attachment.content_id is not None:
        part["Content-ID"] = f"<{_one_line(attachment.content_id)}>"
    return part


def _encode_addresses(value: str) -> str:
    """Addresses, as the mailbox keeps them, with their names as encoded-words."""
    found = list(_ADDRESS.finditer(_one_line(value)))
    mailboxes = [one["bare"] or formataddr((_encode_name(one["name"]), one["address"])) for one in found]
    return ",\r\n ".join(mailboxes)


def _encode_name(name: str) -> str:
    return name if name.isascii() and "=?" not in name else Header(name, "utf-8").encode(linesep="\r\n")


def _encode(value: str, name: str) -> str:
    value = _one_line(value)
    if value.isascii() and "=?" not in value:
        return value
    return Header(value, "utf-8", header_name=name).encode(linesep="\r\n")


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\0]+", " ", text)
