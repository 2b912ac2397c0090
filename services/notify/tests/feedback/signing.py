"""Signs messages as SNS does, with a certificate of the test's own."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:ap-northeast-2:123456789012:ses"
CERTIFICATE_URL = f"https://sns.ap-northeast-2.amazonaws.com/SimpleNotificationService-{'0a' * 16}.pem"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(*, days: int = 30) -> bytes:
    """In PEM, valid for some days; with a negative number no longer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key().public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
    return builder.sign(key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign(version: str = "2", **fields: str) -> dict[str, str]:
    """A signed message: a notification, unless `fields` say otherwise."""
    message = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Message": "{}",
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    } | fields
    text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - version 1 of SNS
    message["Signature"] = base64.b64encode(key().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return message


def body(message: dict[str, str]) -> bytes:
    return json.dumps(message).encode()
