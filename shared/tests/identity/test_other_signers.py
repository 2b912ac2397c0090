"""Another library signs requests that are accepted, and verifies the requests that `RequestSigner` signs."""

import secrets
from datetime import UTC, datetime

import httpx
import pytest
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

from bongsu.identity.signature_base import HttpRequest
from bongsu.identity.signatures import RequestSigner, SignatureReader

URL = "https://api.example.com"
ACCESS_KEY, SECRET = "bak_test", "bsk_secret"
COMPONENTS = ("@method", "@authority", "@path", "@query")
REQUESTS = [
    pytest.param(("GET", "/v1/notifications", b""), id="no query"),
    pytest.param(("GET", "/v1/notifications?limit=1&to=a%40b.c&to=", b""), id="query"),
    pytest.param(("DELETE", "/%EB%B4%89%EC%88%98/a%2Fb/", b""), id="escaped path"),
    pytest.param(("POST", "/v1/notifications?", '{"제목": "봉수 🔥"}'.encode()), id="body"),
]


class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id: str) -> bytes:
        assert key_id == ACCESS_KEY
        return SECRET.encode()

    resolve_public_key = resolve_private_key


def build(parts: tuple[str, str, bytes]) -> httpx.Request:
    method, path, body = parts
    return httpx.Request(method, f"{URL}{path}", content=body)


def received(request: httpx.Request) -> HttpRequest:
    path, _, query = request.url.raw_path.partition(b"?")
    return HttpRequest.of(request.method, path, query, request.headers.raw, request.content)


class TestHttpMessageSignatures:
    @pytest.mark.parametrize("parts", REQUESTS)
    def test_its_signature_is_accepted(self, parts: tuple[str, str, bytes]) -> None:
        request = build(parts)
        HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys()).sign(
            request,
            key_id=ACCESS_KEY,
            created=datetime.now(UTC),
            nonce=secrets.token_hex(16),
            covered_component_ids=COMPONENTS,
            body=request.content or None,
        )
        [claim] = SignatureReader(URL).read(received(request))
        assert claim.key_id == ACCESS_KEY
        assert claim.is_signed_with(SECRET)
        assert not claim.is_signed_with("another")

    @pytest.mark.parametrize("parts", REQUESTS)
    def test_signature_of_the_signer_is_accepted(self, parts: tuple[str, str, bytes]) -> None:
        request = build(parts)
        RequestSigner(ACCESS_KEY, SECRET).sign(request)
        verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
        [result] = verifier.verify(request, require_components=COMPONENTS, body=request.content or None)
        assert result.parameters["keyid"] == ACCESS_KEY
        request.url = request.url.copy_with(path="/another")
        with pytest.raises(InvalidSignature):
            verifier.verify(request)
