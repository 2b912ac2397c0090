"""AWS SES, by its version 2 API (version 1 form-encodes the body and is several times slower on long HTML)."""

import socket
from bisect import bisect_right
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.header import Header
from email.utils import formataddr, parseaddr
from typing import Any

import aioboto3
from aiohttp import ClientConnectorError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)

THROTTLING_ERRORS = frozenset({"TooManyRequestsException", "Throttling", "ThrottlingException", "RequestThrottled"})
OPERATOR_ERRORS = frozenset(
    {
        "AccountSuspendedException",
        "SendingPausedException",
        "MailFromDomainNotVerifiedException",
        "ConfigurationSetDoesNotExist",
        "ConfigurationSetSendingPausedException",
        "NotFoundException",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
    }
)
"""The operator's account or settings are at fault, not the message: it waits until the operator fixes them."""
MAX_MAILBOX_BYTES = 320
"""SES's limit for an encoded name with its address."""
_QUOTA_PAUSE_S = 900.0
_OPERATOR_PAUSE_S = 120.0


class SesProvider:
    """One client a process; `NOTIFY_CONCURRENCY` bounds its calls."""

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._client: Any = None  # botocore builds client classes at run time

    async def open(self) -> None:
        """Create the client. It connects with the first call."""
        settings = self._settings
        secret = settings.ses_secret_access_key
        session = aioboto3.Session(
            aws_access_key_id=settings.ses_access_key_id,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            region_name=settings.ses_region,
        )
        client = session.client(
            "sesv2",
            endpoint_url=settings.ses_endpoint_url,
            config=Config(
                # SES has no idempotency token: a retry inside the SDK could send twice unseen.
                retries={"total_max_attempts": 1},
                connect_timeout=3,
                read_timeout=settings.send_timeout_s,
                max_pool_connections=settings.concurrency,
                # Building the long default agent string is a fifth of a call's CPU.
                user_agent="bongsu",
            ),
        )
        self._client = await self._stack.enter_async_context(client)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._stack.aclose()

    async def read_account(self) -> dict[str, Any]:
        """Call GetAccount.

        :raises ClientError, BotoCoreError: as botocore does.
        """
        answer: dict[str, Any] = await self._client.get_account()
        return answer

    async def send(self, message: EmailMessage) -> Outcome:
        """Send a message by a call of its own."""
        try:
            answer = await self._client.send_email(**_request(message, self._settings.ses_configuration_set))
            return Sent(answer["MessageId"])
        except (ClientError, BotoCoreError, OSError) as error:
            return _outcome_of(error)
        except Exception as error:
            # A defect or a malformed response.
            log.exception("ses.call_failed", notification_id=str(message.notification_id))
            return OutcomeUnknown(type(error).__name__)


def _outcome_of(error: Exception) -> Outcome:
    match error:
        case ClientError():
            return _classify(error)
        case ConnectTimeoutError():
            return TryLater("provider_unreachable", type(error).__name__)
        # aiobotocore raises the same error for a connection that was reset after the request had gone out.
        case EndpointConnectionError() if isinstance(error.__context__, (ClientConnectorError, socket.gaierror)):
            return TryLater("provider_unreachable", type(error).__name__)
        case NoCredentialsError() | PartialCredentialsError():
            log.error("ses.credentials_missing")
            return TryLater(
                "provider_not_configured",
                "SES credentials are missing",
                delay_s=_OPERATOR_PAUSE_S,
                spends_attempt=False,
            )
        case _:
            # A time-out or a reset after the request went out: SES may have accepted it.
            return OutcomeUnknown(type(error).__name__)


def _request(message: EmailMessage, configuration_set: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if message.text is not None:
        body["Text"] = {"Data": message.text, "Charset": "UTF-8"}
    if message.html is not None:
        body["Html"] = {"Data": message.html, "Charset": "UTF-8"}
    tags = {"notification_id": str(message.notification_id), "attempt": str(message.attempt)}
    request: dict[str, Any] = {
        "FromEmailAddress": _mailbox(*parseaddr(message.sender)),
        "Destination": {"ToAddresses": [_mailbox(message.to_name, message.recipient)]},
        "Content": {"Simple": {"Subject": {"Data": _subject(message.subject), "Charset": "UTF-8"}, "Body": body}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
    }
    if message.reply_to is not None:
        request["ReplyToAddresses"] = [message.reply_to]
    if configuration_set is not None:
        request["ConfigurationSetName"] = configuration_set
    return request


def _mailbox(name: str | None, email: str) -> str:
    """`Name <address>`, the name shortened until SES accepts its length."""
    if not name:
        return email
    count = bisect_right(range(1, len(name) + 1), MAX_MAILBOX_BYTES, key=lambda end: len(_format(name[:end], email)))
    return _format(name[:count].rstrip(" \u200d"), email) if count else email


def _format(name: str, email: str) -> str:
    if name.isascii() and "=?" not in name:
        return formataddr((name, email))
    return f"{_encode(name)} <{email}>"


def _encode(text: str) -> str:
    """Encoded words (RFC 2047) of at most 75 characters each."""
    return Header(text, "utf-8", maxlinelen=75).encode(linesep="")


def _subject(text: str) -> str:
    # SES encodes other characters, and passes ASCII on: a client would decode encoded words that a caller wrote, line
    # breaks included.
    return _encode(text) if text.isascii() and "=?" in text else text


def _classify(error: ClientError) -> Outcome:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    text = str(error.response.get("Error", {}).get("Message", ""))[:300]
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    if code == "LimitExceededException" or "Daily message quota exceeded" in text:
        log.warning("ses.quota_exceeded")
        return TryLater("provider_quota", text, delay_s=_QUOTA_PAUSE_S, spends_attempt=False)
    if code in THROTTLING_ERRORS or "Maximum sending rate exceeded" in text or status == 429:
        return TryLater("provider_throttled", text, delay_s=1.0, spends_attempt=False)
    if code in OPERATOR_ERRORS or status in (401, 403):
        log.error("ses.operator_error", code=code)
        return TryLater("provider_not_configured", f"{code}: {text}", delay_s=_OPERATOR_PAUSE_S, spends_attempt=False)
    if status == 503:
        return TryLater("provider_error", f"{code} ({status})")
    if status >= 500:
        # SES was processing the request, or a gateway lost the answer: SES may have accepted it.
        return OutcomeUnknown(f"{code} ({status})")
    return Refused("provider_refused", f"{code}: {text}")


@dataclass(frozen=True, slots=True)
class Account:
    """The operator's SES account. Rates are recipients a second."""

    production: bool
    max_send_rate: float
    sent_last_24_hours: float


class AccountUnreadable(Exception):
    """GetAccount failed; the message says why."""


async def read_account(settings: NotifySettings) -> Account:
    """Read the operator's account.

    :raises AccountUnreadable: the credentials or the endpoint are wrong, or SES does not answer.
    """
    provider = SesProvider(settings)
    try:
        await provider.open()
        answer = await provider.read_account()
    except ClientError as error:
        raise AccountUnreadable(str(error.response.get("Error", {}).get("Code", error))) from error
    except (BotoCoreError, OSError, ValueError) as error:
        raise AccountUnreadable(str(error)) from error
    finally:
        await provider.close()
    quota = answer["SendQuota"]
    return Account(
        production=bool(answer.get("ProductionAccessEnabled", False)),
        max_send_rate=float(quota["MaxSendRate"]),
        sent_last_24_hours=float(quota["SentLast24Hours"]),
    )
