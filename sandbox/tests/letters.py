"""Requests as AWS's client takes them, with only what a test is about left to say."""

from email.header import Header
from email.utils import formataddr
from typing import Any

from tests.fake import seeded

FAKE = seeded("letters")
SENDER = "no-reply@bongsu.test"


def utf8(text: str) -> dict[str, str]:
    """Text with its charset."""
    return {"Data": text, "Charset": "UTF-8"}


def named(name: str, address: str) -> str:
    """An address with an encoded display name."""
    return formataddr((Header(name, "utf-8").encode(), address))


def simple(*to: str, subject: str = "제목", text: str | None = "본문", html: str | None = None, **more: Any) -> Any:  # noqa: ANN401 - the SDK's arguments
    """The arguments of SendEmail for a simple message."""
    body = {"Text": text, "Html": html}
    content: dict[str, Any] = {
        "Subject": utf8(subject),
        "Body": {part: utf8(value) for part, value in body.items() if value is not None},
        **{name: more.pop(name) for name in ("Headers", "Attachments") if name in more},
    }
    return {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": list(to) or [FAKE.mail_address()]},
        "Content": {"Simple": content},
        **more,
    }


def bulk(*entries: dict[str, Any], template: dict[str, Any] | None = None, **more: Any) -> Any:  # noqa: ANN401 - the SDK's arguments
    """The arguments of SendBulkEmail for an inline template."""
    content = {"Subject": "{{subject}}", "Text": "{{text}}"}
    return {
        "FromEmailAddress": SENDER,
        "DefaultContent": {"Template": template or {"TemplateContent": content, "TemplateData": "{}"}},
        "BulkEmailEntries": list(entries),
        **more,
    }


def entry(to: str, data: str | None = '{"subject": "제목", "text": "본문"}', **more: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's arguments
    """One entry of SendBulkEmail."""
    replacement = {"ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": data}}}
    return {"Destination": {"ToAddresses": [to]}, **(replacement if data is not None else {}), **more}
