"""Mails to `aws-ses-v2-local`, an SES written by others, arrive as they were written: alone, and several in a call."""

import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bongsu.mixins import uuid7
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.ses import SesProvider
from bongsu_notify.channels.port import Outcome, Sent
from bongsu_notify.settings import NotifySettings
from tests.eventually import wait_until
from tests.infrastructure.node import require_node, require_packages
from tests.odd_mails import NAMES, SUBJECTS, TEXTS
from tests.ports import free_port

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The other SES speaks HTTP, and to load certificates for each request takes longer than the request."""
ACCOUNT = {
    "DedicatedIpAutoWarmupEnabled": False,
    "Details": {
        "AdditionalContactEmailAddresses": [],
        "ContactLanguage": "EN",
        "MailType": "TRANSACTIONAL",
        "ReviewDetails": {"CaseId": "1", "Status": "GRANTED"},
        "UseCaseDescription": "tests",
        "WebsiteURL": "https://bongsu.test",
    },
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "SendQuota": {"Max24HourSend": 50_000, "MaxSendRate": 1_000, "SentLast24Hours": 0},
    "SuppressionAttributes": {"SuppressedReasons": []},
}
WRITTEN = [text for text in TEXTS if text.strip()]  # a blank part is refused when the notification is accepted


@pytest.fixture(scope="module")
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the other SES, in a process of its own."""
    node, folder = require_node(request.node), require_packages(request.node)
    port = free_port()
    with subprocess.Popen(  # noqa: S603 - our own command
        [node, "ses.mjs", str(port)],
        cwd=folder,
        env=os.environ | {"AWS_SES_ACCOUNT": json.dumps(ACCOUNT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=address, verify=NO_CERTIFICATES, timeout=60) as client:
                wait_until(lambda: client.get("/store").status_code == 200, 60, ignoring=(httpx.TransportError,))
            yield address
        finally:
            process.kill()


@pytest.fixture
async def provider(endpoint: str) -> AsyncIterator[SesProvider]:
    async with httpx.AsyncClient(verify=NO_CERTIFICATES, timeout=60) as client:
        await client.post(f"{endpoint}/clear-store")
    settings = NotifySettings(
        ses_endpoint_url=endpoint, ses_access_key_id="key", ses_secret_access_key=SecretStr("secret")
    )
    provider = SesProvider(settings)
    await provider.open()
    yield provider
    await provider.close()


def mail(**values: Any) -> EmailMessage:  # noqa: ANN401 - a message's fields
    given: dict[str, Any] = {
        "notification_id": uuid7(),
        "attempt": 1,
        "is_alone": False,
        "recipient": "someone@example.com",
        "to_name": None,
        "sender": "no-reply@bongsu.test",
        "reply_to": None,
        "subject": "봉수",
        "text": None,
        "html": None,
    }
    return EmailMessage(**given | values)


def texts(parts: tuple[str, ...]) -> list[EmailMessage]:
    return [mail(**{part: text + part for part in parts}) for text in WRITTEN]


def received(endpoint: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{endpoint}/store", verify=NO_CERTIFICATES, timeout=60).json()["emails"]
    return found


def content(mail: EmailMessage) -> tuple[str, str | None, str | None]:
    return mail.subject, mail.text, mail.html


def content_of(found: dict[str, Any]) -> tuple[str, str | None, str | None]:
    subject = str(make_header(decode_header(found["subject"])))
    return subject, found["body"].get("text") or None, found["body"].get("html") or None


async def send(provider: SesProvider, one: EmailMessage) -> Outcome:
    (outcome,) = await provider.send([one])
    return outcome


class TestAlone:
    @pytest.mark.parametrize("parts", [("text",), ("html",), ("text", "html")])
    async def test_contents_arrive_unchanged(
        self, provider: SesProvider, endpoint: str, parts: tuple[str, ...]
    ) -> None:
        for one in texts(parts):
            assert isinstance(await send(provider, one), Sent)
            assert content_of(received(endpoint)[-1]) == content(one)

    async def test_subjects_and_names_arrive_unchanged(self, provider: SesProvider, endpoint: str) -> None:
        for subject in SUBJECTS:
            assert isinstance(await send(provider, mail(subject=subject, text="x")), Sent)
            assert content_of(received(endpoint)[-1])[0] == subject
        for name in NAMES:
            sender = str(Address(name, addr_spec="no-reply@bongsu.test"))
            assert isinstance(await send(provider, mail(sender=sender, to_name=name, text="x")), Sent)
            found = received(endpoint)[-1]
            for written, address in (
                (found["from"], "no-reply@bongsu.test"),
                (found["destination"]["to"][0], "someone@example.com"),
            ):
                read, found_address = parseaddr(written)
                assert (str(make_header(decode_header(read))), found_address) == (name, address)


class TestTogether:
    @pytest.mark.parametrize("parts", [("text",), ("html",), ("text", "html")])
    async def test_contents_arrive_unchanged_when_mails_share_a_call(
        self, provider: SesProvider, endpoint: str, parts: tuple[str, ...]
    ) -> None:
        mails = [*texts(parts), *(mail(subject=subject, **dict.fromkeys(parts, "x")) for subject in SUBJECTS)]
        calls: list[object] = []
        provider._client.meta.events.register("before-call.sesv2.SendBulkEmail", lambda **call: calls.append(call))
        (call,) = provider.split(mails)
        outcomes = await provider.send(call)
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        found = received(endpoint)
        assert len(calls) == 1
        by_id = {one["messageId"]: content_of(one) for one in found}
        assert len(by_id) == len(mails)
        for one, outcome in zip(mails, outcomes, strict=True):
            assert isinstance(outcome, Sent)
            assert by_id[outcome.message_id] == content(one)
