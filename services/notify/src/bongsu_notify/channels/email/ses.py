"""AWS SES, by its version 2 API (version 1 form-encodes the body and is several times slower on long HTML)."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

import aioboto3
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader

from bongsu.runtime.logging import get_logger
from bongsu_notify.channels.email.answers import OPERATOR_ERROR, read_entry, read_error
from bongsu_notify.channels.email.bulk import encode, split, template
from bongsu_notify.channels.email.channel import EmailMessage
from bongsu_notify.channels.email.mailboxes import encode_subject, format_mailbox
from bongsu_notify.channels.email.ses_tags import ATTEMPT, NOTIFICATION_ID
from bongsu_notify.channels.port import Outcome, OutcomeUnknown, Refused, Sent, TryLater, max_together
from bongsu_notify.settings import NotifySettings

log = get_logger(__name__)

ACCOUNT_EVERY_S = 300.0
FIRST_ACCOUNT_S = 5.0
UNKNOWN_RATE = 14.0
"""The rate of an account that was not read yet: that of most accounts when they leave SES's sandbox."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operator's SES account. Rates are recipients a second."""

    production: bool
    max_send_rate: float
    sent_last_24_hours: float
    is_sender_verified: bool | None = None
    """None: the credentials may not read it."""


class AccountUnreadable(Exception):
    """GetAccount failed; the message says why."""


class SesProvider:
    """One client a process. Messages that share a sender and parts go out together, where the account's rate allows.

    :param account_every_s: how often the account's limits are read.
    """

    def __init__(self, settings: NotifySettings, *, account_every_s: float = ACCOUNT_EVERY_S) -> None:
        self._settings = settings
        self._account_every_s = account_every_s
        self._stack = AsyncExitStack()
        self._may_send_bulk = settings.ses_bulk
        self._account: Account | None = None
        self._operator_error: str | None = None
        self._client: Any = None  # botocore builds client classes at run time

    async def open(self) -> None:
        """Create the client, and read the account's limits, now and regularly."""
        self._client = await self._stack.enter_async_context(create_client(self._settings))
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ACCOUNT_S):
                await self._update_account()
        following = asyncio.create_task(self._follow_account())
        self._stack.callback(following.cancel)

    async def _follow_account(self) -> None:
        while True:
            await asyncio.sleep(self._account_every_s)
            await self._update_account()

    async def _update_account(self) -> None:
        try:
            self._account = await fetch_account(self._client, self._settings)
            self._operator_error = None  # the next mail shows whether it still holds
        except AccountUnreadable as error:
            log.warning("ses.account_unreadable", error=str(error))

    async def close(self) -> None:
        """Close the client's connections."""
        await self._stack.aclose()

    async def is_ready(self) -> bool:
        """False while the account or the sender has to be fixed by the operator: the mails wait."""
        is_verified = self._account is None or self._account.is_sender_verified is not False
        return is_verified and self._operator_error is None

    @property
    def max_rate(self) -> float:
        """Recipients a second, as GetAccount last returned."""
        return self._account.max_send_rate if self._account is not None else UNKNOWN_RATE

    def split(self, messages: Sequence[EmailMessage]) -> Sequence[Sequence[EmailMessage]]:
        """Split messages into calls of SendBulkEmail, where the rate allows those, and of SendEmail."""
        return split(messages, max_together(self.max_rate) if self._may_send_bulk else 1)

    async def send(self, call: Sequence[EmailMessage]) -> Sequence[Outcome]:
        """Send one message by SendEmail, and several by SendBulkEmail."""
        outcomes = await self._send(call)
        for outcome in outcomes:
            if isinstance(outcome, Sent):
                self._operator_error = None
            elif isinstance(outcome, TryLater) and outcome.code == OPERATOR_ERROR:
                self._operator_error = outcome.detail
        return outcomes

    async def _send(self, call: Sequence[EmailMessage]) -> Sequence[Outcome]:
        try:
            if len(call) == 1:
                request = _request(call[0], self._settings.ses_configuration_set)
                return [Sent((await self._client.send_email(**request))["MessageId"])]
            answer = await self._client.send_bulk_email(**_bulk_request(call, self._settings.ses_configuration_set))
            results = answer["BulkEmailEntryResults"]
            if len(results) == len(call):
                return [read_entry(result) for result in results]
            log.error("ses.miscounted", count=len(call), results=len(results))
            outcome: Outcome = OutcomeUnknown("SES returned another number of results than entries")
        except (ClientError, BotoCoreError, OSError, KeyError) as error:
            outcome = read_error(error)
            if len(call) > 1 and _is_denied(error):
                # The credentials may allow SendEmail alone.
                log.warning("ses.bulk_denied")
                self._may_send_bulk = False
                return await self._send_parts([[message] for message in call])
        if len(call) > 1 and isinstance(outcome, Refused):
            # Refused whole: the fault may be a single entry's.
            middle = len(call) // 2
            return await self._send_parts([call[:middle], call[middle:]])
        return [outcome] * len(call)

    async def _send_parts(self, parts: Sequence[Sequence[EmailMessage]]) -> Sequence[Outcome]:
        results = await asyncio.gather(*(self.send(part) for part in parts))
        return [outcome for result in results for outcome in result]


def _is_denied(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == "AccessDeniedException"


def _request(message: EmailMessage, configuration_set: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if message.text is not None:
        body["Text"] = {"Data": message.text, "Charset": "UTF-8"}
    if message.html is not None:
        body["Html"] = {"Data": message.html, "Charset": "UTF-8"}
    subject = {"Data": encode_subject(message.subject), "Charset": "UTF-8"}
    return _envelope(message, configuration_set) | {
        "Destination": _destination(message),
        "Content": {"Simple": {"Subject": subject, "Body": body}},
        "EmailTags": _tags(message),
    }


def _bulk_request(messages: Sequence[EmailMessage], configuration_set: str | None) -> dict[str, Any]:
    return _envelope(messages[0], configuration_set) | {
        "DefaultContent": {"Template": template(messages[0])},
        "BulkEmailEntries": [
            {
                "Destination": _destination(message),
                "ReplacementTags": _tags(message),
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": encode(message)}},
            }
            for message in messages
        ],
    }


def _envelope(message: EmailMessage, configuration_set: str | None) -> dict[str, Any]:
    envelope: dict[str, Any] = {"FromEmailAddress": format_mailbox(*parseaddr(message.sender))}
    if message.reply_to is not None:
        envelope["ReplyToAddresses"] = [message.reply_to]
    if configuration_set is not None:
        envelope["ConfigurationSetName"] = configuration_set
    return envelope


def _destination(message: EmailMessage) -> dict[str, Any]:
    return {"ToAddresses": [format_mailbox(message.to_name, message.recipient)]}


def _tags(message: EmailMessage) -> list[dict[str, str]]:
    tags = {NOTIFICATION_ID: str(message.notification_id), ATTEMPT: str(message.attempt)}
    return [{"Name": name, "Value": value} for name, value in tags.items()]


class _ModelFiles(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Leaves out the list of all services' endpoints, 6 MiB: SES's own rules say where it answers in each region."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON
        return {"partitions": []} if file_path.endswith("/endpoints") else super().load_file(file_path)


def create_client(settings: NotifySettings) -> Any:  # noqa: ANN401 - botocore builds client classes at run time
    """A client of SES, to be entered. It connects with the first call."""
    secret = settings.ses_secret_access_key
    botocore_session = get_session()
    botocore_session.get_component("data_loader").file_loader = _ModelFiles()
    session = aioboto3.Session(
        botocore_session=botocore_session,
        aws_access_key_id=settings.ses_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        region_name=settings.ses_region,
    )
    return session.client(
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
            # SES checks the parameters as well, and its answer says what becomes of the mail.
            parameter_validation=False,
        ),
    )


async def fetch_account(client: Any, settings: NotifySettings) -> Account:  # noqa: ANN401 - as above
    """Read the account's limits, and whether NOTIFY_FROM may send.

    :raises AccountUnreadable: the credentials or the endpoint are wrong, or SES does not answer.
    """
    try:
        answer: dict[str, Any] = await client.get_account()
        quota = answer["SendQuota"]
        return Account(
            production=bool(answer.get("ProductionAccessEnabled", False)),
            max_send_rate=float(quota["MaxSendRate"]),
            sent_last_24_hours=float(quota["SentLast24Hours"]),
            is_sender_verified=await _is_verified(client, parseaddr(settings.sender)[1]),
        )
    except ClientError as error:
        raise AccountUnreadable(str(error.response.get("Error", {}).get("Code", error))) from error
    except (BotoCoreError, OSError, ValueError, KeyError) as error:
        raise AccountUnreadable(str(error)) from error


async def _is_verified(client: Any, address: str) -> bool | None:  # noqa: ANN401 - as above
    """Whether an address, its domain or a domain above it is a verified identity."""
    labels = address.rpartition("@")[2].split(".")
    domains = [".".join(labels[start:]) for start in range(max(1, len(labels) - 1))]
    for identity in (address, *domains):
        try:
            answer: dict[str, Any] = await client.get_email_identity(EmailIdentity=identity)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "NotFoundException":
                return None
        else:
            if answer.get("VerifiedForSendingStatus"):
                return True
    return False


async def read_account(settings: NotifySettings) -> Account:
    """Read the operator's account, by a client of its own.

    :raises AccountUnreadable: as `fetch_account`.
    """
    try:
        async with create_client(settings) as client:
            return await fetch_account(client, settings)
    except ValueError as error:
        raise AccountUnreadable(str(error)) from error
