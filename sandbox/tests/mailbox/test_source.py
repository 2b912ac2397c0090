"""The source of a mail is read back by two parsers of MIME: nothing of the mail is lost or changed."""

import base64
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses

import pytest

from bongsu_sandbox.mailbox.schemas import Attachment, Mail
from bongsu_sandbox.mailbox.source import build_source
from tests.infrastructure.node import require_node, require_packages
from tests.odd_mails import NAMES, SUBJECTS, TEXTS


def make_mail(**values: object) -> Mail:
    headers = {
        "From": values.pop("sender", "Bongsu <no-reply@bongsu.test>"),
        "To": values.pop("recipients", "kim@example.com"),
        "Date": "Sat, 28 Nov 2026 10:00:00 +0000",
        "Message-ID": "<m-1@email.amazonses.com>",
        "Subject": values.get("subject", "제목"),
        "MIME-Version": "1.0",
    }
    given: dict[str, object] = {
        "id": "m-1",
        "message_id": "m-1",
        "to": "kim@example.com",
        "from": headers["From"],
        "subject": headers["Subject"],
        "text": "본문",
        "html": None,
        "headers": headers,
        "tags": {},
        "received_at": datetime(2026, 11, 28, tzinfo=UTC),
    }
    return Mail.model_validate(given | values)


def parse(source: bytes) -> EmailMessage:
    assert source.isascii()
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in source.split(b"\r\n"))
    parsed = BytesParser(policy=policy.default).parsebytes(source)
    assert isinstance(parsed, EmailMessage)
    assert not [defect for part in parsed.walk() for defect in part.defects]
    return parsed


def content_of(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body(preferencelist=(kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert part.get_content_charset() == "utf-8"
    return payload.decode().replace("\r\n", "\n")


class TestBuildSource:
    @pytest.mark.parametrize("text", TEXTS)
    @pytest.mark.parametrize("parts", [("text",), ("html",), ("text", "html")])
    def test_text_and_html_are_read_back(self, text: str, parts: tuple[str, ...]) -> None:
        given = {name: text + name for name in parts}
        parsed = parse(build_source(make_mail(**({"text": None} | given)), []))
        for name in parts:
            assert content_of(parsed, {"text": "plain", "html": "html"}[name]) == given[name]
        assert parsed.is_multipart() == (len(parts) == 2)

    @pytest.mark.parametrize("subject", SUBJECTS)
    def test_subject_is_read_back(self, subject: str) -> None:
        parsed = parse(build_source(make_mail(subject=subject), []))
        assert str(parsed["Subject"]).strip() == subject.strip()

    @pytest.mark.parametrize("name", NAMES)
    def test_names_and_addresses_are_read_back(self, name: str) -> None:
        mail = make_mail(sender=f"{name} <a@b.example>", recipients=f"kim@example.com, {name} <lee@example.com>")
        source = build_source(mail, [])
        parse(source)
        assert _addresses(source, "From") == {"a@b.example": name}
        assert _addresses(source, "To") == {"kim@example.com": "", "lee@example.com": name}

    def test_attachments_are_read_back(self) -> None:
        files = (
            Attachment(filename="청구서 🔥.pdf", content_type="application/pdf", size_bytes=3),
            Attachment(filename='a "b"; c.txt', content_type="text/plain", size_bytes=0),
            Attachment(filename="logo.png", content_type="image/png", size_bytes=256, content_id="logo"),
        )
        contents = [b"\r\n\0", b"", bytes(range(256))]
        mail = make_mail(html='<img src="cid:logo">', attachments=files)
        parsed = parse(build_source(mail, contents))
        found = {part.get_filename(): part.get_payload(decode=True) for part in parsed.walk() if part.get_filename()}
        assert found == {one.filename: content for one, content in zip(files, contents, strict=True)}
        assert parsed.get_content_type() == "multipart/mixed"
        assert content_of(parsed, "plain") == "본문"

    def test_headers_are_read_back(self) -> None:
        mail = make_mail()
        parsed = parse(build_source(mail, []))
        assert {name: str(parsed[name]) for name in ("Date", "Message-ID", "MIME-Version")} == {
            name: mail.headers[name] for name in ("Date", "Message-ID", "MIME-Version")
        }
        assert len(parsed.get_all("MIME-Version", [])) == 1


class TestPostalMime:
    """The parser of a mail client, in JavaScript."""

    def test_every_mail_is_read_back(self, request: pytest.FixtureRequest) -> None:
        node, folder = require_node(request.node), require_packages(request.node)
        mails = [
            *(make_mail(text=text, html=f"<p>{text}</p>") for text in TEXTS),
            *(make_mail(text=text) for text in TEXTS),
            *(make_mail(text=None, html=text + ".") for text in TEXTS),
            *(make_mail(subject=subject) for subject in SUBJECTS),
            # It shows no name that is an address.
            *(make_mail(sender=f"{name} <a@b.example>") for name in NAMES if "@" not in name),
        ]
        sources = json.dumps([base64.b64encode(build_source(mail, [])).decode() for mail in mails])
        script = f"""
import PostalMime from {json.dumps(f"{folder}/node_modules/postal-mime/src/postal-mime.js")};
const read = async (source) => await PostalMime.parse(Buffer.from(source, "base64"));
const chunks = []; for await (const chunk of process.stdin) chunks.push(chunk);
console.log(JSON.stringify(await Promise.all(JSON.parse(Buffer.concat(chunks)).map(read))));
"""
        done = subprocess.run(  # noqa: S603 - our own script
            [node, "--input-type=module", "-e", script], input=sources, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        read = json.loads(done.stdout)
        assert len(read) == len(mails) >= 68
        for found, mail in zip(read, mails, strict=True):
            assert _without_end(found.get("text")) == _without_end(mail.text)
            assert _without_end(found.get("html")) == _without_end(mail.html)
            assert found["subject"].split() == mail.subject.split()
            name, _, address = mail.sender.rpartition(" <")
            assert (found["from"]["name"], found["from"]["address"]) == (name.strip(), address.rstrip(">"))


def _without_end(text: str | None) -> str:
    return (text or "").rstrip("\n")


def _addresses(source: bytes, header: str) -> Mapping[str, str]:
    """By the parser of the policy compat32: that of the default policy keeps the space between encoded-words.

    Python's https://github.com/python/cpython/issues/128110: remove when every supported version has its fix.
    """
    written = str(BytesParser(policy=policy.compat32).parsebytes(source)[header])
    return {address: str(make_header(decode_header(name))) for name, address in getaddresses([written])}
