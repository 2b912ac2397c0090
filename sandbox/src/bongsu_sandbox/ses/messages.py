"""Messages built from requests."""

import base64
import binascii
import mimetypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bongsu_sandbox.mailbox.schemas import Attachment
from bongsu_sandbox.ses.addresses import Address, decode_words, parse_address
from bongsu_sandbox.ses.errors import SesError, bad_request
from bongsu_sandbox.ses.schemas import (
    AttachmentInput,
    Content,
    Destination,
    Header,
    Simple,
    Tag,
    Template,
    TemplateContent,
)
from bongsu_sandbox.ses.templates import RenderingFailure, merge_data, render

MAX_RECIPIENTS = 50
SEND_MAX_BYTES = 40 * 1024 * 1024
BULK_MAX_BYTES = 10 * 1024 * 1024
_MAX_TAG = 256
_TAG = re.compile(r"^[A-Za-z0-9_-]+$")
_SET_BY_SES = re.compile(
    r"bcc|cc|content-(disposition|type)|date|from|message-id|mime-version|reply-to|return-path|subject|to"
)
_REFUSED_FILES = re.compile(
    r"\.(ade|adp|app|asp|bas|bat|cer|chm|cmd|com|cpl|crt|csh|der|exe|fxp|gadget|hlp|hta|inf|ins|isp|its|jse?|ksh|lib|lnk|"
    r"mad|maf|mag|mam|maq|mar|mas|mat|mau|mav|maw|mda|mdb|mde|mdt|mdw|mdz|msc|msh[12x]*|msi|msp|mst|ops|pcd|pif|plg|prf|"
    r"prg|reg|scf|scr|sct|shb|shs|sys|ps1|ps1xml|ps2|ps2xml|psc1|psc2|tmp|url|vb|vbe|vbs|vps|vsmacros|vss|vst|vsw|vxd|ws|"
    r"wsc|wsf|wsh|xnk)$",
    re.IGNORECASE,
)


File = tuple[Attachment, bytes]


@dataclass(frozen=True)
class Message:
    """A message without its recipients."""

    subject: str
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    files: Sequence[File] = ()
    rendering_failure: str | None = None
    """The reason why its template cannot be rendered; SES accepts it and reports this as an event."""

    def with_headers(self, headers: dict[str, str]) -> "Message":
        """Return the message with these headers before its own."""
        return replace(self, headers=headers | self.headers)


@dataclass(frozen=True)
class Recipients:
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()

    @property
    def everyone(self) -> tuple[Address, ...]:
        return self.to + self.cc + self.bcc


def parse_destination(destination: Destination) -> Recipients:
    """Read a destination.

    :raises SesError: BadRequestException for none, too many, or a wrong address.
    """
    require_recipient_count(len(destination.all()))
    return Recipients(
        to=tuple(parse_address(item) for item in destination.to_addresses),
        cc=tuple(parse_address(item) for item in destination.cc_addresses),
        bcc=tuple(parse_address(item) for item in destination.bcc_addresses),
    )


def require_recipient_count(count: int) -> None:
    """Refuse a message without recipients, or with too many."""
    if count == 0:
        raise bad_request("Destination must have at least one recipient.")
    if count > MAX_RECIPIENTS:
        raise bad_request(f"Recipient count exceeds {MAX_RECIPIENTS}.")


def parse_tags(*layers: Iterable[Tag]) -> dict[str, str]:
    """Merge message tags; later layers win.

    :raises SesError: BadRequestException for a name or value outside SES's character set.
    """
    tags: dict[str, str] = {}
    for layer in layers:
        for tag in layer:
            for kind, part in (("name", tag.name), ("value", tag.value)):
                if not _TAG.match(part):
                    raise bad_request(
                        f"Invalid tag {kind} <{part}>: only alphanumeric ASCII characters, '_', and '-' are allowed."
                    )
                if len(part) > _MAX_TAG:
                    raise bad_request(f"Invalid tag {kind} <{part[:20]}…>: at most {_MAX_TAG} characters are allowed.")
            tags[tag.name] = tag.value
    return tags


def parse_headers(headers: Iterable[Header]) -> dict[str, str]:
    """Read custom headers.

    :raises SesError: BadRequestException for one that SES sets itself, and for one given twice.
    """
    parsed: dict[str, Header] = {}
    for header in headers:
        name = header.name.lower()
        if _SET_BY_SES.fullmatch(name):
            raise bad_request(f"Header '{header.name}' is set by SES and cannot be given.")
        if name in parsed:
            raise bad_request(f"Duplicate header '{header.name}'.")
        parsed[name] = header
    return {header.name: header.value for header in parsed.values()}


def from_simple(content: Simple) -> Message:
    """Build a message from its parts.

    :raises SesError: BadRequestException.
    """
    if content.body.text is None and content.body.html is None:
        raise bad_request("Body must have a Text or an Html part.")
    files = parse_attachments(content.attachments)
    return Message(
        subject=_as_received(_one_line(decode_content(content.subject))),
        text=None if content.body.text is None else decode_content(content.body.text),
        html=None if content.body.html is None else decode_content(content.body.html),
        headers=parse_headers(content.headers),
        files=files,
    )


def inline_template(template: Template) -> TemplateContent:
    """Return the template content in the request.

    :raises SesError: NotFoundException for a stored template (there are none), BadRequestException for an empty one.
    """
    stored = template.template_name or template.template_arn
    if stored is not None:
        raise SesError("NotFoundException", 404, f"Template {stored} does not exist")
    content = template.template_content
    if content is None or content.subject is None or (content.text is None and content.html is None):
        raise bad_request("TemplateContent must have a Subject and a Text or an Html part.")
    return content


def from_template(template: Template, replacement: str | None, headers: dict[str, str]) -> Message:
    """Build a message from an inline template; `headers` replace the template's of the same name.

    :raises SesError: BadRequestException, NotFoundException.
    """
    content = inline_template(template)
    data = merge_data(template.template_data, replacement)
    files = parse_attachments(template.attachments)
    given = {name.lower() for name in headers}
    own = {name: value for name, value in parse_headers(template.headers).items() if name.lower() not in given}
    try:
        return Message(
            subject=_one_line(render(content.subject or "", data)),
            text=None if content.text is None else render(content.text, data),
            html=None if content.html is None else render(content.html, data),
            headers=own | headers,
            files=files,
        )
    except RenderingFailure as failure:
        return Message(subject="", rendering_failure=str(failure))


def require_size(message: Message, limit: int) -> None:
    """Refuse a message that is too large when encoded.

    :raises SesError: BadRequestException.
    """
    size = sum(len(part.encode()) for part in (message.text, message.html) if part)
    size += sum(-(-len(content) // 3) * 4 for _, content in message.files)
    require_length(size, limit)


def require_length(size: int, limit: int) -> None:
    """Refuse a number of bytes above the limit."""
    if size > limit:
        raise bad_request(f"Message length is more than {limit} bytes long: '{size}'.")


def decode_content(content: Content) -> str:
    """Return the text as delivered: without a charset SES uses 7-bit ASCII and replaces other characters with `?`.

    :raises SesError: BadRequestException for an unknown charset.
    """
    charset = content.charset or "us-ascii"
    if charset.lower() in {"utf-8", "utf8"} or content.data.isascii():
        return content.data
    try:
        return content.data.encode(charset, "replace").decode(charset, "replace")
    except (LookupError, ValueError) as error:
        raise bad_request(f"Unsupported charset: {charset}") from error


def parse_attachments(given: Iterable[AttachmentInput]) -> list[File]:
    """Decode attachments.

    :raises SesError: BadRequestException.
    """
    files: list[File] = []
    for item in given:
        if _REFUSED_FILES.search(item.file_name):
            raise bad_request(f"Illegal filename '{item.file_name}'.")
        try:
            content = base64.b64decode(item.raw_content, validate=True)
        except binascii.Error as error:
            raise bad_request(f"The content of attachment '{item.file_name}' is not base64.") from error
        attachment = Attachment(
            filename=item.file_name,
            content_type=item.content_type or mimetypes.guess_type(item.file_name)[0] or "application/octet-stream",
            size_bytes=len(content),
            content_id=item.content_id,
        )
        files.append((attachment, content))
    return files


def _as_received(subject: str) -> str:
    """The subject as a mail client shows it: SES passes ASCII on, encoded words included."""
    if not subject.isascii() or "=?" not in subject:
        return subject
    readable = decode_words(subject)
    return subject if readable is None else readable


def _one_line(subject: str) -> str:
    if "\n" in subject or "\r" in subject:
        raise bad_request("Subject contains a line break.")
    return subject
