import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

import pytest
from pydantic import SecretStr

from bongsu.mixins import uuid7
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.ses import SesProvider
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Sent, TryLater
from bongsu_notify.settings import NotifySettings

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request, given its body."""


@asynccontextmanager
async def _endpoint(answer: Answer) -> AsyncIterator[str]:
    """A server that reads one request and then calls `answer`."""

    handling: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
            body = await reader.readexactly(int(lengths[0].split(b":")[1]))
            await answer(body.decode(), writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        for task in handling:
            if task is not None:
                task.cancel()


def _written(status: str, body: object) -> Answer:
    raw = json.dumps(body)

    async def answer(_request: str, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}"
        writer.write(f"{head}\r\nConnection: close\r\n\r\n{raw}".encode())
        await writer.drain()

    return answer


async def _reset(_request: str, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


_accept = _written("200 OK", {"MessageId": "m-1"})


@asynccontextmanager
async def _provider(url: str) -> AsyncIterator[SesProvider]:
    settings = NotifySettings(
        ses_endpoint_url=url,
        ses_access_key_id="key",
        ses_secret_access_key=SecretStr("secret"),
    )
    provider = SesProvider(settings)
    await provider.open()
    yield provider
    await provider.close()


def _message() -> EmailMessage:
    return EmailMessage(
        notification_id=uuid7(),
        attempt=1,
        recipient="someone@example.com",
        to_name=None,
        sender="a@b.test",
        reply_to=None,
        subject="안녕",
        text="봉수",
        html=None,
    )


async def _outcome(url: str) -> Outcome:
    async with _provider(url) as provider:
        return await provider.send(_message())


class TestSend:
    async def test_outcome_is_sent_when_ses_accepts(self) -> None:
        async with _endpoint(_accept) as url:
            assert await _outcome(url) == Sent("m-1")

    async def test_outcome_is_try_later_when_the_connection_fails(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            outcome = await _outcome(f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert isinstance(outcome, TryLater)
        assert outcome.code == "provider_unreachable"

    async def test_outcome_is_unknown_when_the_connection_is_reset_after_the_request(self) -> None:
        async with _endpoint(_reset) as url:
            assert isinstance(await _outcome(url), OutcomeUnknown)

    @pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout"])
    async def test_outcome_is_unknown_when_ses_fails_while_processing(self, status: str) -> None:
        async with _endpoint(_written(status, {})) as url:
            assert isinstance(await _outcome(url), OutcomeUnknown)

    async def test_outcome_is_try_later_when_ses_is_unavailable(self) -> None:
        async with _endpoint(_written("503 Service Unavailable", {})) as url:
            assert isinstance(await _outcome(url), TryLater)

    async def test_outcome_is_unknown_when_the_response_is_malformed(self) -> None:
        async with _endpoint(_written("200 OK", {})) as url:
            assert isinstance(await _outcome(url), OutcomeUnknown)

    async def test_send_is_cancelled_when_its_task_is(self) -> None:
        started = asyncio.Event()

        async def answer(_request: str, _writer: asyncio.StreamWriter) -> None:
            started.set()
            await asyncio.sleep(60)

        async with _endpoint(answer) as url, _provider(url) as provider, asyncio.timeout(30):
            sending = asyncio.create_task(provider.send(_message()))
            await started.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending


class TestMailboxes:
    @pytest.mark.parametrize(
        "name", ["봉수 🔥", "Kim, Chul-soo", 'a "b" \\ c', "=?utf-8?b?Cg==?=", "봉 =?utf-8?q?=0A?="]
    )
    async def test_mailbox_encodes_any_name(self, name: str) -> None:
        for mailbox in _mailboxes(await _request_of(sender=str(Address(name, addr_spec="a@b.test")), to_name=name)):
            assert _read_mailbox(mailbox)[0] == name

    @pytest.mark.parametrize("name", ["김" * 150, "🔥" * 150, '"' * 150, "x" * 200, "김, 철수 " * 20])
    async def test_mailbox_is_shortened_when_ses_would_refuse_its_length(self, name: str) -> None:
        for mailbox in _mailboxes(await _request_of(sender=str(Address(name, addr_spec="a@b.test")), to_name=name)):
            read, _ = _read_mailbox(mailbox)
            assert len(mailbox) <= 320
            assert name.startswith(read)
            assert len(read) > 40

    async def test_mailbox_is_the_address_alone_when_no_name_fits(self) -> None:
        address = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.test"
        request = await _request_of(recipient=address, to_name="김" * 20)
        assert len(request["Destination"]["ToAddresses"][0]) <= 320

    @pytest.mark.parametrize("subject", ["=?utf-8?b?Cg==?=", "a =?us-ascii?q?=0D=0ABcc:_x?= b"])
    async def test_subject_is_encoded_when_a_client_would_decode_it(self, subject: str) -> None:
        sent = (await _request_of(subject=subject))["Content"]["Simple"]["Subject"]["Data"]
        assert subject not in sent
        assert str(make_header(decode_header(sent))) == subject


async def _request_of(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - a message's fields
    """The request by which SES is asked to send a message with these values."""
    requests: list[dict[str, Any]] = []

    async def answer(request: str, writer: asyncio.StreamWriter) -> None:
        requests.append(json.loads(request))
        await _accept(request, writer)

    async with _endpoint(answer) as url, _provider(url) as provider:
        await provider.send(replace(_message(), **values))
    return requests[0]


def _mailboxes(request: dict[str, Any]) -> tuple[str, str]:
    return request["FromEmailAddress"], request["Destination"]["ToAddresses"][0]


def _read_mailbox(mailbox: str) -> tuple[str, str]:
    assert mailbox.isascii()
    assert all(len(word) <= 75 for word in mailbox.split() if word.startswith("=?"))
    parsed, address = parseaddr(mailbox)
    assert address in ("a@b.test", "someone@example.com")
    return str(make_header(decode_header(parsed))), address
