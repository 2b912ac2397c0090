"""Posts messages to the subscriber of SES's topic, signed as SNS signs them, and by a certificate of the sandbox's own.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import asyncio
import base64
import json
import secrets
import ssl
import uuid
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bongsu.runtime.logging import get_logger
from bongsu_sandbox.sign_in.signing import read_or_create_key

log = get_logger(__name__)

TOPIC: Final = "arn:aws:sns:ap-northeast-2:000000000000:bongsu"
RETRIES_S: Final = (0.2, 1.0, 5.0, 20.0)
MAX_WAITING: Final = 10_000
_SIGNED: Final = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Subscribers of the sandbox speak HTTP, and to load certificates takes 20 ms."""


class Sns:
    """A topic with one subscriber, which has to confirm its subscription before messages are posted to it.

    :param key_path: the file of the key.
    :param subscriber: the URL that messages are posted to.
    """

    def __init__(self, key_path: Path, subscriber: str) -> None:
        self._key_path = key_path
        self._subscriber = subscriber
        self._token = secrets.token_hex(32)
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self.base_url = ""
        """The sandbox as its clients call it: the certificate and confirmations are there."""
        self.is_confirmed = False

    def publish(self, message: str) -> None:
        """Post a message in the background. Beyond `MAX_WAITING`, messages are dropped."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("sns.dropped")

    def confirm(self, token: str) -> bool:
        """Confirm the subscription. Returns whether the token is right."""
        is_right = secrets.compare_digest(token.encode(), self._token.encode())
        self.is_confirmed = self.is_confirmed or is_right
        return is_right

    async def run(self) -> None:
        """Post what is published, until it is cancelled."""
        async with httpx.AsyncClient(verify=_NO_CERTIFICATES, timeout=10) as client:
            while True:
                message = await self._waiting.get()
                if not self.is_confirmed:
                    url = f"{self.base_url}/sandbox/sns/confirm?token={self._token}"
                    asked = {"Token": self._token, "SubscribeURL": url, "Message": "Confirm the subscription."}
                    await self._post(client, self.sign("SubscriptionConfirmation", asked))
                await self._post(client, self.sign("Notification", {"Message": message}))

    def sign(self, kind: str, fields: dict[str, str]) -> dict[str, str]:
        """A signed message."""
        message = fields | {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        text = "".join(f"{name}\n{message[name]}\n" for name in _SIGNED if name in message)
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return message | {
            "SignatureVersion": "2",
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": f"{self.base_url}/sandbox/sns/certificate.pem",
        }

    async def _post(self, client: httpx.AsyncClient, message: dict[str, str]) -> None:
        headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": message["Type"]}
        for pause_s in (*RETRIES_S, None):
            try:
                answer = await client.post(self._subscriber, content=json.dumps(message), headers=headers)
            except httpx.HTTPError:
                answer = None
            if answer is not None and (answer.is_success or answer.is_client_error):
                return
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        log.warning("sns.not_delivered", type=message["Type"])

    @cached_property
    def certificate(self) -> bytes:
        """The certificate, in PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=3650))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return read_or_create_key(self._key_path)
