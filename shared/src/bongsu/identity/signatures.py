"""Signed requests: RFC 9421 with `hmac-sha256`, as both ends need it.

The verifier works in two steps, because the key must be looked up in between: `SignatureVerifier.read` finds what the
request claims, and `SignatureClaim.check` says whether a secret bears it out. Whoever calls both must do the same work
for a key that does not exist (`DUMMY_SECRET`) as for one that does, and give one answer to every refusal.

The HMAC key is the secret key's text in ASCII, so `openssl dgst -hmac "$SECRET_KEY"` signs as well.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass

import http_sf
import httpx
from http_sf.types import ParamsType

from bongsu.identity.digests import DigestAlgorithm, content_digest, digest_matches
from bongsu.identity.signature_base import (
    HttpRequest,
    Origin,
    SignatureMalformed,
    covering,
    signature_base,
)
from bongsu.identity.structured_fields import Member, StructuredFieldError, parse_dictionary, serialize_inner_list

__all__ = ["DUMMY_SECRET", "RequestSigner", "SignatureClaim", "SignatureMalformed", "SignatureVerifier"]

ALGORITHM = "hmac-sha256"
REQUIRED_COMPONENTS = ("@method", "@authority", "@path", "@query")
MAX_NONCE_CHARS = 128
MAX_KEY_ID_CHARS = 128
_MAX_SIGNATURES = 4

DUMMY_SECRET = secrets.token_urlsafe(32)
"""Stands in for the secret of a key that does not exist, so that its check costs the same."""


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """What a signed request says about itself; nothing of it is believed before `check` is true.

    :param label: the signature's label.
    :param key_id: the access key.
    :param nonce: works once; whoever checks stores it.
    :param created: seconds since 1970, by the signer's clock.
    :param expires: the same, or None.
    """

    label: str
    key_id: str
    nonce: str
    created: int
    expires: int | None
    _base: bytes
    _signature: bytes
    _digest_holds: bool
    _fresh: bool

    def check(self, secret_key: str) -> bool:
        """Whether the secret made this signature, over this very body, and recently; the same work in every case."""
        expected = hmac.digest(secret_key.encode(), self._base, "sha256")
        authentic = hmac.compare_digest(expected, self._signature)
        return authentic & self._digest_holds & self._fresh


class SignatureVerifier:
    """Reads signatures on requests that were sent to one public address.

    :param public_url: what clients call us; its authority is the only one that a signature may cover. The Host header
        is never consulted.
    :param tolerance_s: how far `created` may lie from our clock, to either side.
    :param now: our clock, in seconds since 1970.
    """

    def __init__(self, public_url: str, *, tolerance_s: int = 30, now: Callable[[], float] = time.time) -> None:
        self._origin = Origin.of(public_url)
        self._tolerance_s = tolerance_s
        self._now = now

    def read(self, request: HttpRequest) -> SignatureClaim:
        """Finds the signature of a request: the first, under any label, that is made as it must be.

        :raises SignatureMalformed: there is none; the message says what is wrong with the first.
        """
        inputs, signatures = self._fields(request)
        problem: SignatureMalformed | None = None
        for label, signed in list(inputs.items())[:_MAX_SIGNATURES]:
            try:
                return self._claim(label, signed, signatures.get(label), request)
            except SignatureMalformed as malformed:
                problem = problem or malformed
        raise problem or SignatureMalformed("Signature-Input holds no signature")

    def _fields(self, request: HttpRequest) -> tuple[dict[str, Member], dict[str, Member]]:
        parsed: list[dict[str, Member]] = []
        for name in ("Signature-Input", "Signature"):
            value = request.header(name.lower())
            if value is None:
                raise SignatureMalformed(f"the request has no {name} field")
            try:
                parsed.append(parse_dictionary(value))
            except StructuredFieldError as error:
                raise SignatureMalformed(f"{name} is not a structured dictionary: {error}") from None
        return parsed[0], parsed[1]

    def _claim(self, label: str, signed: Member, signature: Member | None, request: HttpRequest) -> SignatureClaim:
        components, params = signed
        if not isinstance(components, list):
            raise SignatureMalformed("Signature-Input must hold a list of components in brackets")
        mac = signature[0] if signature is not None else None
        if not isinstance(mac, bytes):
            raise SignatureMalformed("Signature has no byte sequence under the label of Signature-Input")
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
            _signature=mac,
            _digest_holds=_digest_holds(covered, request),
            _fresh=abs(now - created) <= self._tolerance_s and (expires is None or now <= expires),
        )


class RequestSigner(httpx.Auth):
    """Signs each request of an httpx client, sync or async: `httpx.AsyncClient(auth=RequestSigner(key, secret))`.

    A request that is sent again is signed anew, with its own nonce, because a nonce works once. A transport that
    repeats requests by itself works below this; give it `sign` to call between its attempts.

    :param access_key: the key id.
    :param secret_key: the secret as it was shown.
    :param public_url: where it differs from the address that is called (a tunnel, a container's name): the address that
        the service is known by.
    :param digest: the hash for Content-Digest.
    :param label: the signature's label.
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
        """Signs, once for each time that httpx sends."""
        self.sign(request)
        yield request

    def sign(self, request: httpx.Request) -> None:
        """Replaces the signature of a request whose body has been read, with a new time and nonce."""
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


def _require_coverage(covered: Collection[str], *, with_body: bool) -> None:
    needed: Iterable[str] = (*REQUIRED_COMPONENTS, "content-digest") if with_body else REQUIRED_COMPONENTS
    missing = [name for name in needed if name not in covered]
    if missing:
        names = " ".join(f'"{name}"' for name in missing)
        raise SignatureMalformed(f"the signature must also cover {names}")


def _digest_holds(covered: Collection[str], request: HttpRequest) -> bool:
    field = request.header("content-digest")
    if field is None or "content-digest" not in covered:
        return not request.body
    return digest_matches(field, request.body)


def _integer(params: ParamsType, name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SignatureMalformed(f"the parameter {name} must be there, as an integer")
    return value


def _text(params: ParamsType, name: str, max_chars: int) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
        raise SignatureMalformed(f"the parameter {name} must be there, as a string of 1 to {max_chars} characters")
    return value
