"""Accepts mail: the account's limits, then the mailbox and the ledger."""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from bongsu_sandbox.ledger.schemas import LedgerEntry
from bongsu_sandbox.ledger.service import Ledger
from bongsu_sandbox.mailbox.schemas import Mail
from bongsu_sandbox.mailbox.service import Mailbox
from bongsu_sandbox.ses.account import Account
from bongsu_sandbox.ses.addresses import Address, parse_address
from bongsu_sandbox.ses.errors import CATALOGUE, QUOTA, THROTTLED, SesError, bad_request
from bongsu_sandbox.ses.events import SesEvents
from bongsu_sandbox.ses.messages import (
    BULK_MAX_BYTES,
    SEND_MAX_BYTES,
    Message,
    Recipients,
    from_simple,
    from_template,
    inline_template,
    parse_destination,
    parse_headers,
    parse_tags,
    require_size,
)
from bongsu_sandbox.ses.mime import from_raw
from bongsu_sandbox.ses.schemas import BulkEntry, SendBulkEmail, SendEmail, Template

MAX_ENTRIES = 50
Forced = Callable[[int, BulkEntry], str | None]
"""Maps an entry of a bulk call to the status that a fault forces, or None."""

STATUS_OF_CODE = {
    "TooManyRequestsException": "ACCOUNT_THROTTLED",
    "LimitExceededException": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    "BadRequestException": "INVALID_PARAMETER",
}
"""The status of an entry for each error, in a bulk response."""

STATUS_MESSAGES = {
    "MESSAGE_REJECTED": "The message was rejected.",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "The MAIL FROM domain is not verified.",
    "CONFIGURATION_SET_NOT_FOUND": "The configuration set does not exist.",
    "TEMPLATE_NOT_FOUND": "The template does not exist.",
    "ACCOUNT_SUSPENDED": "The account is suspended.",
    "ACCOUNT_THROTTLED": CATALOGUE[THROTTLED][1],
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": CATALOGUE[QUOTA][1],
    "INVALID_SENDING_POOL_NAME": "The sending pool does not exist.",
    "ACCOUNT_SENDING_PAUSED": "Email sending is paused for this account.",
    "CONFIGURATION_SET_SENDING_PAUSED": "Email sending is paused for this configuration set.",
    "INVALID_PARAMETER": "A parameter is invalid.",
    "TRANSIENT_FAILURE": "The request could not be processed because of a temporary issue.",
    "FAILED": "The request could not be processed.",
}
"""Every status of a bulk entry but SUCCESS, as botocore's model lists them."""


BulkResult = dict[str, str]
"""The result of one entry of a bulk call: `Status`, and `MessageId` or `Error`."""


class Ses:
    def __init__(self, account: Account, mailbox: Mailbox, ledger: Ledger, events: SesEvents) -> None:
        self.account = account
        self._mailbox = mailbox
        self._ledger = ledger
        self._events = events

    def send_email(self, request: SendEmail, region: str) -> str:
        """Accept one message. Returns its message ID.

        :raises SesError: refused; nothing was recorded.
        """
        content = request.content
        if sum(part is not None for part in (content.simple, content.raw, content.template)) != 1:
            raise bad_request("Content must have exactly one of Simple, Raw and Template.")
        tags = parse_tags(request.email_tags)
        given = None if request.from_email_address is None else parse_address(request.from_email_address)
        if content.raw is not None:
            destination = parse_destination(request.destination) if request.destination.all() else None
            message, own, recipients = from_raw(content.raw.data, destination)
            sender = self._sender(given or own, region)
            return self._accept(sender, recipients, message, tags, request.configuration_set_name)
        recipients = parse_destination(request.destination)
        sender = self._sender(given, region)
        base = _base_headers(sender, recipients, request.reply_to_addresses)
        if content.simple is not None:
            message = from_simple(content.simple)
        else:
            assert content.template is not None  # noqa: S101 - one of three, and not the other two
            message = from_template(content.template, None, {})
        message = message.with_headers(base)
        require_size(message, SEND_MAX_BYTES)
        return self._accept(sender, recipients, message, tags, request.configuration_set_name)

    def send_bulk_email(self, request: SendBulkEmail, region: str, forced: Forced) -> list[BulkResult]:
        """Accept or refuse each entry, in order.

        :raises SesError: the whole call is refused; nothing was recorded.
        """
        template = request.default_content.template
        if template is None:
            raise bad_request("DefaultContent must have a Template.")
        inline_template(template)
        if not 1 <= len(request.bulk_email_entries) <= MAX_ENTRIES:
            raise bad_request(f"BulkEmailEntries must have between 1 and {MAX_ENTRIES} entries.")
        parse_tags(request.default_email_tags)
        parse_headers(template.headers)
        given = None if request.from_email_address is None else parse_address(request.from_email_address)
        sender = self._sender(given, region)
        return [
            self._bulk_entry(request, template, entry, sender, forced(number, entry))
            for number, entry in enumerate(request.bulk_email_entries)
        ]

    def _bulk_entry(
        self, request: SendBulkEmail, template: Template, entry: BulkEntry, sender: Address, forced: str | None
    ) -> BulkResult:
        if forced is not None:
            return {"Status": forced, "Error": STATUS_MESSAGES[forced]}
        content = entry.replacement_email_content
        replacement = content.replacement_template if content is not None else None
        data = replacement.replacement_template_data if replacement is not None else None
        try:
            recipients = parse_destination(entry.destination)
            headers = parse_headers(entry.replacement_headers)
            base = _base_headers(sender, recipients, request.reply_to_addresses)
            tags = parse_tags(request.default_email_tags, entry.replacement_tags)
            message = from_template(template, data, headers).with_headers(base)
            require_size(message, BULK_MAX_BYTES)
            message_id = self._accept(sender, recipients, message, tags, request.configuration_set_name)
        except SesError as error:
            return {"Status": STATUS_OF_CODE.get(error.code, "FAILED"), "Error": error.message}
        return {"Status": "SUCCESS", "MessageId": message_id}

    def _sender(self, sender: Address | None, region: str) -> Address:
        if sender is None:
            raise bad_request("Missing required header 'From'.")
        self.account.require_sender(sender, region)
        return sender

    def _accept(
        self,
        sender: Address,
        recipients: Recipients,
        message: Message,
        tags: dict[str, str],
        configuration_set: str | None,
    ) -> str:
        """Take the recipients from the limits; record the message in the mailbox and then in the ledger."""
        everyone = recipients.everyone
        self.account.spend(len(everyone))
        now = datetime.now(UTC)
        message_id = f"010c{time.time_ns() // 1_000_000:012x}-{uuid.uuid4()}-000000"
        if message.rendering_failure is None:
            # SES sets these itself, over what a raw message says.
            own = {
                "Date": format_datetime(now),
                "Message-ID": f"<{message_id}@email.amazonses.com>",
                "Subject": message.subject,
                "MIME-Version": "1.0",
            }
            own_names = {name.lower() for name in own}
            kept = {name: value for name, value in message.headers.items() if name.lower() not in own_names}
            for number, recipient in enumerate(everyone):
                mail = Mail(
                    id=message_id if len(everyone) == 1 else f"{message_id}.{number}",
                    message_id=message_id,
                    to=recipient.address,
                    sender=str(sender),
                    subject=message.subject,
                    text=message.text,
                    html=message.html,
                    headers=kept | own,
                    tags=tags,
                    received_at=now,
                    attachments=tuple(attachment for attachment, _ in message.files),
                )
                self._mailbox.add(mail, [content for _, content in message.files])
        entry = LedgerEntry(
            message_id=message_id,
            to=tuple(recipient.address for recipient in everyone),
            subject=message.subject,
            tags=tags,
            accepted_at=now,
            rendering_failure=message.rendering_failure,
        )
        self._ledger.append(entry)
        if configuration_set is not None:
            self._events.accepted(entry)
        return message_id


def _base_headers(sender: Address, recipients: Recipients, reply_to: Sequence[str]) -> dict[str, str]:
    replies = [parse_address(address) for address in reply_to]
    headers = {"From": [sender], "To": recipients.to, "Cc": recipients.cc, "Reply-To": replies}
    return {name: ", ".join(map(str, addresses)) for name, addresses in headers.items() if addresses}
