"""The client's signatures, read by the server's verifier."""

from string import ascii_letters, ascii_lowercase, digits

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.identity.signature_base import HttpRequest
from bongsu.identity.signatures import SignatureReader
from bongsu_client import RequestSigner

NOW = 1_800_000_000
SECRET = "bsk_secret"
SEGMENTS = st.text(f"{ascii_letters}{digits}._~%-", min_size=1, max_size=8)
PATHS = st.tuples(st.lists(SEGMENTS, max_size=2), SEGMENTS | st.just("")).map(
    lambda parts: "/".join(("", *parts[0], parts[1]))
)


def is_accepted(request: httpx.Request, public_url: str, *, signer_url: str | None = None) -> bool:
    """Sign a request, and let the server's verifier read it."""
    flow = RequestSigner("bak_test", SECRET, public_url=signer_url, now=lambda: NOW).auth_flow(request)
    signed = next(flow)
    path, _, query = signed.url.raw_path.partition(b"?")
    received = HttpRequest.of(signed.method, path, query, signed.headers.raw, signed.content)
    [claim] = SignatureReader(public_url, now=lambda: NOW).read(received)
    return claim.key_id == "bak_test" and claim.is_signed_with(SECRET)


class TestRequestSigner:
    @pytest.mark.parametrize(
        ("url", "public_url"),
        [
            ("https://Bongsu.example/v1/notifications", "https://bongsu.example"),
            ("https://bongsu.example:443/", "https://bongsu.example"),
            ("http://localhost:8000/v1/notifications?limit=1&to=a%40b.c", "http://localhost:8000"),
            ("http://[2001:DB8::1]:8000/", "http://[2001:db8::1]:8000"),
            ("http://localhost/봉수?이름=값", "http://localhost"),
            ("http://봉수.example/", "http://xn--9n3bo6g.example"),
        ],
    )
    def test_signature_is_accepted_when_the_url_has_this_form(self, url: str, public_url: str) -> None:
        assert is_accepted(httpx.Request("GET", url), public_url)

    def test_signature_is_accepted_when_the_client_calls_another_address(self) -> None:
        request = httpx.Request("POST", "http://10.0.0.7:9000/x", json={"가": "🔥"})
        assert is_accepted(request, "https://bongsu.example", signer_url="https://bongsu.example/")

    def test_signature_is_replaced_when_the_request_is_signed_again(self) -> None:
        request = httpx.Request("POST", "http://localhost/x", json={})
        assert is_accepted(request, "http://localhost")
        first = request.headers["Signature"]
        assert is_accepted(request, "http://localhost")
        assert request.headers["Signature"] != first

    @given(
        method=st.sampled_from(["GET", "POST", "DELETE", "PATCH"]),
        path=PATHS,
        query=st.text(f"{ascii_lowercase}{digits}=&%+", max_size=20),
        body=st.binary(max_size=50),
    )
    def test_every_request_verifies(self, method: str, path: str, query: str, body: bytes) -> None:
        url = httpx.URL("http://localhost").copy_with(raw_path=f"{path}?{query}".encode())
        assert is_accepted(httpx.Request(method, url, content=body), "http://localhost")
