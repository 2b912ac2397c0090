import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from pydantic import SecretStr

from bongsu.mixins import uuid7
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.ses import ACCOUNT_EVERY_S, SesProvider, read_account
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.settings import NotifySettings
from tests.eventually import eventually

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request, given its body."""


@asynccontextmanager
async def _endpoint(
    answer: Answer, verified: Sequence[str] = ("bongsu.test",), rates: Sequence[float] = (200.0,)
) -> AsyncIterator[str]:
    """A server that reads one request and then calls `answer`.

    :param rates: how many mails a second the account may send, each time that it is read; then the last one.
    """
    left = [*rates]
    handling: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /v2/email/identities/"):
                identity = unquote(head.split(b" ")[1].decode().rpartition("/")[2])
                await (_verified if identity in verified else _not_found)(identity, writer)
                return
            if head.startswith(b"GET"):
                await _account(left.pop(0) if len(left) > 1 else left[0])(head.decode(), writer)
                return
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
_verified = _written("200 OK", {"VerifiedForSendingStatus": True})
_not_found = _written("404 Not Found", {"__type": "NotFoundException", "message": "no"})


def _account(rate: float) -> Answer:
    quota = {"MaxSendRate": rate, "Max24HourSend": -1.0, "SentLast24Hours": 0.0}
    return _written("200 OK", {"SendQuota": quota})


@asynccontextmanager
async def _provider(
    url: str,
    *,
    account_every_s: float = ACCOUNT_EVERY_S,
    **values: Any,  # noqa: ANN401 - of settings
) -> AsyncIterator[SesProvider]:
    settings = NotifySettings(
        **values,
        ses_endpoint_url=url,
        ses_access_key_id="key",
        ses_secret_access_key=SecretStr("secret"),
    )
    provider = SesProvider(settings, account_every_s=account_every_s)
    await provider.open()
    yield provider
    await provider.close()


def _message(**values: Any) -> EmailMessage:  # noqa: ANN401 - a message's fields
    message = EmailMessage(
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
    return replace(message, **values)


async def _send(provider: SesProvider, **values: Any) -> Outcome:  # noqa: ANN401 - a message's fields
    (outcome,) = await provider.send([_message(**values)])
    return outcome


async def _outcome(url: str) -> Outcome:
    async with _provider(url) as provider:
        return await _send(provider)


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
            sending = asyncio.create_task(_send(provider))
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

    @pytest.mark.parametrize(("name", "shown"), [("봉수 \u200d ", "봉수"), ("Kim  ", "Kim"), (" \u200d", "")])
    async def test_mailbox_leaves_out_spaces_and_joiners_at_the_end(self, name: str, shown: str) -> None:
        request = await _request_of(to_name=name)
        assert _read_mailbox(request["Destination"]["ToAddresses"][0])[0] == shown

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
        await _send(provider, **values)
    return requests[0]


def _mailboxes(request: dict[str, Any]) -> tuple[str, str]:
    return request["FromEmailAddress"], request["Destination"]["ToAddresses"][0]


def _read_mailbox(mailbox: str) -> tuple[str, str]:
    assert mailbox.isascii()
    assert all(len(word) <= 75 for word in mailbox.split() if word.startswith("=?"))
    parsed, address = parseaddr(mailbox)
    assert address in ("a@b.test", "someone@example.com")
    return str(make_header(decode_header(parsed))), address


class _Ses:
    """Answers both kinds of calls. `calls` has the parsed requests, `refuse` the recipients that fail a whole call."""

    def __init__(self, results: Sequence[dict[str, str]] = (), refuse: Sequence[str] = (), status: str = "") -> None:
        self.calls: list[dict[str, Any]] = []
        self._results, self._refuse, self._status = results, refuse, status

    async def __call__(self, request: str, writer: asyncio.StreamWriter) -> None:
        call = json.loads(request)
        self.calls.append(call)
        entries = call.get("BulkEmailEntries")
        if entries is None:
            await _accept(request, writer)
        elif self._status:
            code = {"403": "AccessDeniedException", "429": "TooManyRequestsException"}[self._status]
            await _written(f"{self._status} No", {"__type": code, "message": "no"})(request, writer)
        elif any(address in request for address in self._refuse):
            await _written("400 Bad Request", {"__type": "BadRequestException", "message": "no"})(request, writer)
        else:
            results = self._results or [
                {"Status": "SUCCESS", "MessageId": entry["Destination"]["ToAddresses"][0]} for entry in entries
            ]
            await _written("200 OK", {"BulkEmailEntryResults": results})(request, writer)

    @property
    def counts(self) -> list[int]:
        return [len(call.get("BulkEmailEntries", [None])) for call in self.calls]


def _alike(count: int, **values: object) -> list[EmailMessage]:
    return [_message(is_alone=False, recipient=f"to-{number}@example.com", **values) for number in range(count)]


async def _send_all(ses: _Ses, messages: Sequence[EmailMessage], **settings: Any) -> list[Outcome]:  # noqa: ANN401 - of settings
    async with _endpoint(ses) as url, _provider(url, **settings) as provider:
        calls = provider.split(messages)
        results = await asyncio.gather(*map(provider.send, calls))
    outcomes = {
        message.notification_id: outcome
        for call, result in zip(calls, results, strict=True)
        for message, outcome in zip(call, result, strict=True)
    }
    return [outcomes[message.notification_id] for message in messages]


class TestLimits:
    @pytest.mark.parametrize("count", [1, 2], ids=["alone", "together"])
    @pytest.mark.parametrize("name", ["봉수 🔥" * 40, '"=?utf-8?q?=0A?=' * 13, "x" * 200])
    async def test_request_keeps_the_limits_of_ses_whatever_the_message_says(self, name: str, count: int) -> None:
        local = "a" * 64
        ses = _Ses()
        messages = _alike(
            count,
            subject="=?utf-8?q?=0A?= 🔥" * 60,
            sender=str(Address(name, addr_spec=f"{local}@bongsu.test")),
            reply_to=f"{local}@{'b' * 60}.{'c' * 60}.{'d' * 59}.test",
            to_name=name,
            html="<p>\u2028</p>",
        )
        await _send_all(ses, messages, ses_configuration_set="s" * 64)
        (call,) = ses.calls
        kind = "SendEmail" if count == 1 else "SendBulkEmail"
        model = Session().get_service_model("sesv2").operation_model(kind)
        report = ParamValidator().validate(call, model.input_shape)
        assert not report.has_errors(), report.generate_report()
        # SES limits headers to 15 with 870 characters of printable ASCII: a request names none.
        assert "Headers" not in json.dumps(call)
        entries = call.get("BulkEmailEntries", [call])
        destinations = [entry["Destination"]["ToAddresses"] for entry in entries]
        assert [len(to) for to in destinations] == [1] * count
        for mailbox in (call["FromEmailAddress"], *call["ReplyToAddresses"], *(to[0] for to in destinations)):
            assert len(mailbox) <= 320
            assert mailbox.isascii()
            assert mailbox.isprintable()
        for entry in entries:
            for tag in entry.get("ReplacementTags", entry.get("EmailTags")):
                assert re.fullmatch("[A-Za-z0-9_-]{1,256}", tag["Name"])
                assert re.fullmatch("[A-Za-z0-9_.@-]{1,256}", tag["Value"])


class TestBulk:
    async def test_waiting_messages_share_a_call_and_have_their_own_results_and_tags(self) -> None:
        ses, messages = _Ses(), _alike(5)
        assert await _send_all(ses, messages) == [Sent(message.recipient) for message in messages]
        assert ses.counts == [5]
        tags = [entry["ReplacementTags"][0]["Value"] for entry in ses.calls[0]["BulkEmailEntries"]]
        assert tags == [str(message.notification_id) for message in messages]

    async def test_content_is_data_and_never_a_template(self) -> None:
        ses, odd = _Ses(), 'a {{b}} {{{c}}} "q" \\ \u2028 {{#if x}} 🔥'
        await _send_all(ses, [*_alike(1, text=odd, html=odd), *_alike(1, text="x", html="y")])
        (call,) = ses.calls
        assert call["DefaultContent"]["Template"]["TemplateContent"] == {
            "Subject": "{{subject}}",
            "Text": "{{text}}",
            "Html": "{{html}}",
        }
        replacement = call["BulkEmailEntries"][0]["ReplacementEmailContent"]["ReplacementTemplate"]
        data = json.loads(replacement["ReplacementTemplateData"])
        assert data == {"subject": "안녕", "text": odd, "html": odd}

    async def test_call_has_no_more_entries_than_the_rate_allows(self) -> None:
        ses = _Ses()
        await _send_all(ses, _alike(25))
        assert sorted(ses.counts) == [3, 11, 11]  # 1 + 5 % of 200

    async def test_messages_with_other_envelopes_or_parts_share_no_call(self) -> None:
        ses = _Ses()
        others: list[dict[str, Any]] = [
            {"sender": "c@d.test"},
            {"reply_to": "r@d.test"},
            {"html": "x"},
            {"text": None, "html": "x"},
        ]
        await _send_all(ses, [message for values in [{}, *others] for message in _alike(2, **values)])
        assert ses.counts == [2] * 5

    @pytest.mark.parametrize("values", [{"is_alone": True}, {"text": "x" * 262_144}])
    async def test_message_goes_alone_when_it_may_share_no_call(self, values: dict[str, Any]) -> None:
        ses = _Ses()
        await _send_all(ses, [replace(message, **values) for message in _alike(3)])
        assert ses.counts == [1, 1, 1]
        assert all("Simple" in call["Content"] for call in ses.calls)

    async def test_call_stays_below_a_megabyte_on_the_wire(self) -> None:
        ses = _Ses()
        await _send_all(ses, _alike(10, text="가" * 40_000))
        assert sum(ses.counts) == 10
        assert max(len(json.dumps(call)) for call in ses.calls) < 1_000_000
        assert len(ses.calls) > 2

    async def test_bulk_is_off_when_the_setting_says_so(self) -> None:
        ses = _Ses()
        await _send_all(ses, _alike(3), ses_bulk=False)
        assert ses.counts == [1, 1, 1]

    async def test_each_entry_has_the_outcome_of_its_status(self) -> None:
        statuses = {
            "SUCCESS": Sent,
            "TRANSIENT_FAILURE": TryLater,
            "ACCOUNT_THROTTLED": TryLater,
            "ACCOUNT_DAILY_QUOTA_EXCEEDED": TryLater,
            "ACCOUNT_SENDING_PAUSED": TryLater,
            "MESSAGE_REJECTED": Refused,
            "INVALID_PARAMETER": Refused,
            "FAILED": TryLater,
            "SOMETHING_NEW": OutcomeUnknown,
        }
        ses = _Ses([{"Status": status, "MessageId": "m"} for status in statuses])
        outcomes = await _send_all(ses, _alike(len(statuses)))
        assert [type(outcome) for outcome in outcomes] == [*statuses.values()]
        spends = [outcome.spends_attempt for outcome in outcomes if isinstance(outcome, TryLater)]
        assert spends == [True, False, False, False, True]

    async def test_call_is_split_until_the_guilty_entry_is_alone_when_refused_whole(self) -> None:
        ses = _Ses(refuse=["to-3@example.com"])
        messages = _alike(8)
        outcomes = await _send_all(ses, messages)
        assert all(isinstance(outcome, Sent) for outcome in outcomes)  # the guilty one passed by SendEmail
        assert sorted(ses.counts) == [1, 1, 2, 2, 4, 4, 8]

    async def test_every_message_is_deferred_when_the_call_is_throttled(self) -> None:
        ses = _Ses(status="429")
        outcomes = await _send_all(ses, _alike(3))
        assert {outcome.code for outcome in outcomes if isinstance(outcome, TryLater)} == {"provider_throttled"}
        assert ses.counts == [3]

    async def test_messages_go_one_by_one_when_bulk_is_denied(self) -> None:
        ses = _Ses(status="403")
        assert await _send_all(ses, _alike(3)) == [Sent("m-1")] * 3
        assert ses.counts == [3, 1, 1, 1]

    async def test_outcomes_are_unknown_when_results_are_missing(self) -> None:
        ses = _Ses([{"Status": "SUCCESS", "MessageId": "m"}])
        outcomes = await _send_all(ses, _alike(2))
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]


_UNVERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@b.test"


class TestAccount:
    async def test_rate_follows_the_account_when_it_is_read_again(self) -> None:
        async with (
            _endpoint(_accept, rates=[14.0, 200.0]) as url,
            _provider(url, account_every_s=0.01) as provider,
        ):
            await eventually(lambda: provider.max_rate == 200.0)


class TestUnverifiedSender:
    async def test_mail_waits_and_spends_no_attempt_until_the_sender_is_verified(self) -> None:
        refused = _written("400 Bad Request", {"__type": "MessageRejected", "message": _UNVERIFIED})
        async with _endpoint(refused) as url, _provider(url) as provider:
            assert await provider.is_ready()
            outcome = await _send(provider)
            assert isinstance(outcome, TryLater)
            assert (outcome.code, outcome.spends_attempt) == ("provider_not_configured", False)
            assert not await provider.is_ready()

    async def test_provider_is_ready_again_when_a_mail_is_sent(self) -> None:
        answers = [_accept, _written("400 Bad Request", {"__type": "MessageRejected", "message": _UNVERIFIED})]

        async def answer(request: str, writer: asyncio.StreamWriter) -> None:
            await answers.pop()(request, writer)

        async with _endpoint(answer) as url, _provider(url) as provider:
            await _send(provider)
            assert not await provider.is_ready()
            await _send(provider)
            assert await provider.is_ready()

    async def test_message_that_is_rejected_itself_fails(self) -> None:
        rejected = _written("400 Bad Request", {"__type": "MessageRejected", "message": "Bad content"})
        async with _endpoint(rejected) as url:
            assert isinstance(await _outcome(url), Refused)

    @pytest.mark.parametrize(
        ("verified", "is_verified"),
        [
            (["no-reply@mail.bongsu.test"], True),
            (["mail.bongsu.test"], True),
            (["bongsu.test"], True),
            (["other.test", "other@mail.bongsu.test"], False),
        ],
    )
    async def test_account_tells_whether_the_sender_is_verified(self, verified: list[str], is_verified: bool) -> None:
        async with _endpoint(_accept, verified) as url:
            settings = NotifySettings(
                NOTIFY_FROM="Bongsu <no-reply@mail.bongsu.test>",
                ses_endpoint_url=url,
                ses_access_key_id="key",
                ses_secret_access_key=SecretStr("secret"),
            )
            assert (await read_account(settings)).is_sender_verified is is_verified

    async def test_provider_is_not_ready_when_the_sender_is_not_verified(self) -> None:
        async with _endpoint(_accept, verified=()) as url, _provider(url) as provider:
            assert not await provider.is_ready()
