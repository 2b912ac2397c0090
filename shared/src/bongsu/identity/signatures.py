"""Request signatures (RFC 9421, `hmac-sha256`): the client's signer and the server's reader.

The HMAC key is the text of the secret key, so `openssl dgst -sha256 -hmac "$SECRET_KEY"` signs as well.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass

import http_sf
import httpx
from http_sf.types import BareItemType

from bongsu.identity.digests import DigestAlgorithm, content_digest, digest_matches
from bongsu.identity.signature_base import (
    HttpRequest,
    Origin,
    SignatureMalformed,
    covering,
    signature_base,
)
from bongsu.identity.structured_fields import Member, StructuredFieldError, parse_dictionary, serialize_inner_list

__all__ = ["DUMMY_SECRET", "RequestSigner", "SignatureClaim", "SignatureMalformed", "SignatureReader"]

ALGORITHM = "hmac-sha256"
REQUIRED_COMPONENTS = ("@method", "@authority", "@path", "@query")
MAX_NONCE_CHARS = 128
MAX_KEY_ID_CHARS = 128
MAX_SIGNATURES = 4
"""Further signatures of a request are ignored."""

DUMMY_SECRET = secrets.token_urlsafe(32)
"""Takes the place of an unknown key's secret, so that its check costs the same."""


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """A signature as the request states it; unproven until `is_signed_with` is true.

    :param key_id: the access key.
    :param nonce: may be used once; the caller stores it.
    :param created: seconds since 1970, by the signer's clock.
    :param expires: seconds since 1970, or None.
    """

    label: str
    key_id: str
    nonce: str
    created: int
    expires: int | None
    _base: bytes
    _mac: bytes
    _digest_matches: bool
    _is_fresh: bool

    def is_signed_with(self, secret_key: str) -> bool:
        """Whether the secret made this signature, of this body, recently; the work is always the same."""
        expected = hmac.digest(secret_key.encode(), self._base, "sha256")
        return hmac.compare_digest(expected, self._mac) & self._digest_matches & self._is_fresh


class SignatureReader:
    """Reads the signatures of requests that were sent to one public URL.

    :param public_url: the URL that clients call: signatures cover its authority. The Host field is never used.
    :param tolerance_s: how far `created` may differ from our clock, in either direction.
    :param now: the clock, in seconds since 1970.
    """

    def __init__(self, public_url: str, *, tolerance_s: int = 30, now: Callable[[], float] = time.time) -> None:
        self._origin = Origin.of(public_url)
        self._tolerance_s = tolerance_s
        self._now = now

    def read(self, request: HttpRequest) -> list[SignatureClaim]:
        """Return the signatures of a request that have the required form, whatever their labels; at least one.

        :raises SignatureMalformed: no signature is readable; the message describes the first error.
        """
        inputs = _parse_field(request, "Signature-Input")
        signatures = _parse_field(request, "Signature")
        # Once for all signatures: anyone may send four of them with a large body.
        digest = request.header("content-digest")
        has_digest = digest is not None and digest_matches(digest, request.body)
        claims: list[SignatureClaim] = []
        problems: list[SignatureMalformed] = []
        for label, signed in list(inputs.items())[:MAX_SIGNATURES]:
            try:
                claims.append(self._read_one(label, signed, signatures.get(label), request, has_digest=has_digest))
            except SignatureMalformed as malformed:
                problems.append(malformed)
        if not claims:
            raise problems[0] if problems else SignatureMalformed("Signature-Input is empty")
        return claims

    def _read_one(
        self, label: str, signed: Member, signature: Member | None, request: HttpRequest, *, has_digest: bool
    ) -> SignatureClaim:
        components, params = signed
        if not isinstance(components, list):
            raise SignatureMalformed("Signature-Input must be a list of components in parentheses")
        mac = signature[0] if signature is not None else None
        if not isinstance(mac, bytes):
            raise SignatureMalformed(f"Signature has no byte sequence with the label {label}")
        covered = {name for name, _ in components if isinstance(name, str)}
        _require_coverage(covered, with_body=bool(request.body))
        if params.get("alg", ALGORITHM) != ALGORITHM:
            raise SignatureMalformed(f'the parameter alg must be "{ALGORITHM}" or absent')
        created = _integer(params, "created")
        expires = _integer(params, "expires") if "expires" in params else None
        now = int(self._now())
        return SignatureClaim(
            label=label,
            key_id=_text(params, "keyid", MAX_KEY_ID_CHARS),
            nonce=_text(params, "nonce", MAX_NONCE_CHARS),
            created=created,
            expires=expires,
            _base=signature_base(request, self._origin, (components, params)),
            _mac=mac,
            _digest_matches=has_digest if "content-digest" in covered else not request.body,
            _is_fresh=abs(now - created) <= self._tolerance_s and (expires is None or now <= expires),
        )


class RequestSigner(httpx.Auth):
    """Signs the requests of an httpx client, sync or async: `httpx.AsyncClient(auth=RequestSigner(key, secret))`.

    A request that is sent again gets a new signature, because a nonce works once. A transport that repeats requests
    itself is below this: have it call `sign` before each attempt.

    :param access_key: the key id.
    :param public_url: the service's public URL, where the client calls another address (a tunnel, a container).
    :param digest: the hash for Content-Digest.
    :param now: the clock, in seconds since 1970.
    """

    requires_request_body = True

    def __init__(  # noqa: PLR0913 - each is one fact about the caller
        self,
        access_key: str,
        secret_key: str,
        *,
        public_url: str | None = None,
        digest: DigestAlgorithm = "sha-256",
        label: str = "sig1",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key.encode()
        self._origin = Origin.of(public_url) if public_url else None
        self._digest: DigestAlgorithm = digest
        self._label = label
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request each time that httpx sends it."""
        self.sign(request)
        yield request

    def sign(self, request: httpx.Request) -> None:
        """Replace the request's signature, with a new time and nonce. Its body must have been read."""
        for name in ("Signature", "Signature-Input", "Content-Digest"):
            request.headers.pop(name, None)
        body = request.content
        components: tuple[str, ...] = REQUIRED_COMPONENTS
        if body:
            request.headers["Content-Digest"] = content_digest(body, self._digest)
            components = (*components, "content-digest")
        signed = covering(
            components,
            {
                "created": int(self._now()),
                "keyid": self._access_key,
                "nonce": secrets.token_urlsafe(16),
                "alg": ALGORITHM,
            },
        )
        path, _, query = request.url.raw_path.partition(b"?")
        sent = HttpRequest.of(request.method, path, query, request.headers.raw, body)
        base = signature_base(sent, self._origin or Origin.of(str(request.url)), signed)
        request.headers["Signature-Input"] = f"{self._label}={serialize_inner_list(signed)}"
        request.headers["Signature"] = http_sf.ser({self._label: hmac.digest(self._secret_key, base, hashlib.sha256)})


def _parse_field(request: HttpRequest, name: str) -> dict[str, Member]:
    value = request.header(name.lower())
    if value is None:
        raise SignatureMalformed(f"the request has no {name} field")
    try:
        return parse_dictionary(value)
    except StructuredFieldError as error:
        raise SignatureMalformed(f"{name} is not a structured dictionary: {error}") from None


def _require_coverage(covered: Collection[str], *, with_body: bool) -> None:
    needed = (*REQUIRED_COMPONENTS, "content-digest") if with_body else REQUIRED_COMPONENTS
    missing = [name for name in needed if name not in covered]
    if missing:
        names = " ".join(f'"{name}"' for name in missing)
        raise SignatureMalformed(f"the signature must also cover {names}")


def _integer(params: Mapping[str, BareItemType], name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SignatureMalformed(f"the parameter {name} is required, as an integer")
    return value


def _text(params: Mapping[str, BareItemType], name: str, max_chars: int) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
        raise SignatureMalformed(f"the parameter {name} is required, as a string of 1 to {max_chars} characters")
    return value
