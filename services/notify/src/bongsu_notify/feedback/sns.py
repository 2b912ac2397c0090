"""Messages of Amazon SNS over HTTPS: who signed them, and for which topic.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bongsu_notify.errors import FeedbackRefused, FeedbackUnreachable

_HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_CERTIFICATE: Final = re.compile(r"/SimpleNotificationService-[0-9a-f]{32}\.pem")
_SIGNED: Final = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Final = {"1": hashes.SHA1, "2": hashes.SHA256}
MAX_AGE: Final = timedelta(hours=2)
"""SNS repeats a message for at most an hour. An older one is a replay."""
MAX_CERTIFICATES: Final = 8

Fetch = Callable[[str], Awaitable[bytes]]


class SnsMessage(BaseModel):
    """A message as SNS posts it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] = Field(alias="Type")
    message_id: str = Field(alias="MessageId", max_length=100)
    topic_arn: str = Field(alias="TopicArn", max_length=300)
    subject: str | None = Field(default=None, alias="Subject")
    message: str = Field(alias="Message")
    timestamp: str = Field(alias="Timestamp", max_length=40)
    signature_version: Literal["1", "2"] = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature", max_length=2048)
    signing_cert_url: str = Field(alias="SigningCertURL", max_length=300)
    subscribe_url: str | None = Field(default=None, alias="SubscribeURL", max_length=2048)
    token: str | None = Field(default=None, alias="Token", max_length=2048)

    @property
    def signed_text(self) -> bytes:
        """What the signature is of. A notification has no SubscribeURL and Token, and a confirmation no Subject."""
        left_out = {"SubscribeURL", "Token"} if self.type == "Notification" else {"Subject"}
        values = self.model_dump(by_alias=True)
        names = [name for name in _SIGNED if name not in left_out and values[name] is not None]
        return "".join(f"{name}\n{values[name]}\n" for name in names).encode("utf-8", "replace")


class _Age(BaseModel):
    timestamp: AwareDatetime


class SnsVerifier:
    """Verifies messages, and confirms subscriptions of the topics that are allowed.

    :param topics: ARNs.
    :param stand_in_url: where the sandbox's certificate and confirmations are, if it is in place of SNS.
    :param fetch: reads a URL, without redirects.
    """

    def __init__(self, topics: Collection[str], fetch: Fetch, *, stand_in_url: str | None = None) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch
        self._stand_in_url = stand_in_url
        self._keys: dict[str, rsa.RSAPublicKey] = {}

    async def verify(self, message: SnsMessage) -> None:
        """Check the topic, the age and the signature.

        :raises FeedbackRefused: one of them is wrong.
        :raises FeedbackUnreachable: the certificate cannot be read now.
        """
        if message.topic_arn not in self._topics:
            raise FeedbackRefused("The topic is not in NOTIFY_SES_TOPICS")
        _require_recent(message.timestamp)
        key = await self._find_key(message.signing_cert_url)
        try:
            signature = base64.b64decode(message.signature, validate=True)
            key.verify(signature, message.signed_text, padding.PKCS1v15(), _HASHES[message.signature_version]())
        except (InvalidSignature, binascii.Error, ValueError):
            raise FeedbackRefused("The signature does not match the message") from None

    async def confirm(self, message: SnsMessage) -> None:
        """Confirm the subscription that a verified message asks for.

        :raises FeedbackRefused: its SubscribeURL is not of SNS.
        :raises FeedbackUnreachable: SNS does not answer.
        """
        url = message.subscribe_url or ""
        if not self._is_of_sns(url):
            raise FeedbackRefused("SubscribeURL must be an address of Amazon SNS")
        await self._fetch(url)

    async def _find_key(self, url: str) -> rsa.RSAPublicKey:
        if (key := self._keys.get(url)) is not None:
            return key
        is_stand_in = self._stand_in_url is not None and url.startswith(self._stand_in_url)
        if not is_stand_in and not (self._is_of_sns(url) and _CERTIFICATE.fullmatch(urlsplit(url).path)):
            raise FeedbackRefused("SigningCertURL must be a certificate of Amazon SNS")
        try:
            certificate = load_pem_x509_certificate(await self._fetch(url))
        except ValueError:
            raise FeedbackUnreachable from None
        found = certificate.public_key()
        is_valid = certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
        if not is_valid or not isinstance(found, rsa.RSAPublicKey):
            raise FeedbackRefused("The certificate of SigningCertURL is not valid")
        if len(self._keys) >= MAX_CERTIFICATES:
            self._keys.clear()
        self._keys[url] = found
        return found

    def _is_of_sns(self, url: str) -> bool:
        if self._stand_in_url is not None:
            return url.startswith(self._stand_in_url)
        try:
            parts = urlsplit(url)
            host = f"https://{parts.hostname}"
        except ValueError:
            return False
        # Without a user, a port and a host in other letters, which parsers read differently.
        return url.startswith((f"{host}/", f"{host}?")) and _HOST.fullmatch(parts.hostname or "") is not None


def _require_recent(timestamp: str) -> None:
    try:
        at = _Age(timestamp=timestamp).timestamp
    except ValueError:
        raise FeedbackRefused("Timestamp must be a time with an offset") from None
    if abs(datetime.now(UTC) - at) > MAX_AGE:
        raise FeedbackRefused("The message is too old")
