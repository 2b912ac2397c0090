"""Signing requests and reading their signatures."""

import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from string import ascii_letters, ascii_lowercase, digits

import http_sf
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.identity.digests import DigestAlgorithm, content_digest, digest_matches
from bongsu.identity.signature_base import HttpRequest, Origin, covering, signature_base
from bongsu.identity.signatures import (
    DUMMY_SECRET,
    MAX_SIGNATURES,
    RequestSigner,
    SignatureClaim,
    SignatureMalformed,
    SignatureReader,
)
from bongsu.identity.structured_fields import serialize_inner_list
from shared.tests.counted import CountedName

NOW = 1_800_000_000
URL = "https://api.example.com"
KEY = "bak_test"
SECRET = "bsk_secret"
ALL = ("@method", "@authority", "@path", "@query")
SEGMENTS = st.text(f"{ascii_letters}{digits}._~%-", min_size=1, max_size=8)
PATHS = st.tuples(st.lists(SEGMENTS, max_size=2), SEGMENTS | st.just("")).map(
    lambda parts: "/".join(("", *parts[0], parts[1]))
)


def received(request: httpx.Request) -> HttpRequest:
    path, _, query = request.url.raw_path.partition(b"?")
    return HttpRequest.of(request.method, path, query, request.headers.raw, request.content)


def signed(request: httpx.Request, *, now: float = NOW, digest: DigestAlgorithm = "sha-256") -> HttpRequest:
    RequestSigner(KEY, SECRET, digest=digest, now=lambda: now).sign(request)
    return received(request)


def read(request: HttpRequest, *, now: float = NOW) -> SignatureClaim:
    """The first signature of a request."""
    return SignatureReader(URL, now=lambda: now).read(request)[0]


def handmade(
    params: dict[str, str | int], *, names: tuple[str, ...] = ALL, label: str = "x", body: bytes = b""
) -> HttpRequest:
    """A GET signed by hand, wrong in ways in which `RequestSigner` never is."""
    headers = [(b"content-digest", content_digest(body).encode())] if body else []
    request = HttpRequest.of("GET", b"/a", b"", headers, body)
    inner = covering(names, params)
    mac = hmac.digest(SECRET.encode(), signature_base(request, Origin.of(URL), inner), "sha256")
    headers += [
        (b"signature-input", f"{label}={serialize_inner_list(inner)}".encode()),
        (b"signature", http_sf.ser({label: mac}).encode()),
    ]
    return HttpRequest.of("GET", b"/a", b"", headers, body)


def fields_of(request: HttpRequest) -> tuple[str, str]:
    return request.header("signature-input") or "", request.header("signature") or ""


def beside(request: HttpRequest, first: tuple[str, str]) -> HttpRequest:
    """The request with other signature fields before its own."""
    theirs = zip(("signature-input", "signature"), first, strict=True)
    return replace(request, headers=(*theirs, *request.headers))


def claims_of(request: HttpRequest) -> list[SignatureClaim]:
    return SignatureReader(URL, now=lambda: NOW).read(request)


PARAMS: dict[str, str | int] = {"created": NOW, "keyid": KEY, "nonce": "n"}


class TestRead:
    def test_claim_has_the_label_and_the_parameters(self) -> None:
        claim = read(handmade({**PARAMS, "expires": NOW + 5, "alg": "hmac-sha256"}, label="any-label"))
        assert (claim.label, claim.key_id, claim.nonce, claim.created, claim.expires) == (
            "any-label",
            KEY,
            "n",
            NOW,
            NOW + 5,
        )

    @pytest.mark.parametrize("missing", ALL)
    def test_error_names_a_missing_component(self, missing: str) -> None:
        names = tuple(name for name in ALL if name != missing)
        with pytest.raises(SignatureMalformed, match=missing):
            read(handmade(PARAMS, names=names))

    def test_body_must_be_covered_by_its_digest(self) -> None:
        with pytest.raises(SignatureMalformed, match="content-digest"):
            read(handmade(PARAMS, body=b"{}"))

    @pytest.mark.parametrize("missing", ["created", "keyid", "nonce"])
    def test_error_names_a_missing_parameter(self, missing: str) -> None:
        params = {name: value for name, value in PARAMS.items() if name != missing}
        with pytest.raises(SignatureMalformed, match=missing):
            read(handmade(params))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"created": "1800000000"},
            {"keyid": 7},
            {"nonce": ""},
            {"nonce": "n" * 129},
            {"alg": "ed25519"},
            {"alg": 5},
            {"expires": "soon"},
        ],
    )
    def test_wrong_parameter_is_refused(self, wrong: dict[str, str | int]) -> None:
        with pytest.raises(SignatureMalformed):
            read(handmade({**PARAMS, **wrong}))

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"signature-input": 'a=("@method")'},
            {"signature": "a=:aGk=:", "signature-input": ""},
            {"signature": "a=:aGk=:", "signature-input": "a=1"},
            {"signature": "a=:aGk=:", "signature-input": "a=("},
            {"signature": "b=:aGk=:", "signature-input": 'a=("@method");created=1'},
            {"signature": "a=hi", "signature-input": 'a=("@method");created=1'},
        ],
    )
    def test_request_without_a_readable_signature_is_refused(self, headers: dict[str, str]) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        with pytest.raises(SignatureMalformed):
            read(HttpRequest.of("GET", b"/", b"", pairs, b""))

    def test_signature_of_another_kind_is_ignored(self) -> None:
        theirs = ('proxy=("date");alg="ed25519"', "proxy=:aGk=:")
        assert [claim.label for claim in claims_of(beside(handmade(PARAMS, label="ours"), theirs))] == ["ours"]

    def test_every_readable_signature_is_returned_in_order(self) -> None:
        request = beside(handmade(PARAMS, label="ours"), fields_of(handmade({**PARAMS, "keyid": "theirs"})))
        assert [claim.key_id for claim in claims_of(request)] == ["theirs", KEY]

    def test_signatures_beyond_the_fourth_are_ignored(self) -> None:
        request = handmade(PARAMS, label="ours")
        for index in range(MAX_SIGNATURES):
            request = beside(request, fields_of(handmade(PARAMS, label=f"s{index}")))
        assert "ours" not in [claim.label for claim in claims_of(request)]

    def test_problem_of_the_first_signature_is_reported_when_none_is_readable(self) -> None:
        with pytest.raises(SignatureMalformed, match="@method"):
            claims_of(beside(handmade({**PARAMS, "keyid": 7}), ("a=()", "a=:aGk=:")))


class TestIsSignedWith:
    def test_signature_is_accepted_with_its_secret(self) -> None:
        claim = read(signed(httpx.Request("POST", f"{URL}/v1/x?a=1&b=%20", json={"가": "🔥"})))
        assert claim.is_signed_with(SECRET)

    @pytest.mark.parametrize("secret", ["", "bsk_other", pytest.param(DUMMY_SECRET, id="dummy")])
    def test_signature_is_refused_with_another_secret(self, secret: str) -> None:
        assert not read(signed(httpx.Request("GET", f"{URL}/"))).is_signed_with(secret)

    @pytest.mark.parametrize("age", [-30, 0, 30])
    def test_signature_within_thirty_seconds_is_fresh(self, age: int) -> None:
        assert read(signed(httpx.Request("GET", f"{URL}/")), now=NOW + age).is_signed_with(SECRET)

    @pytest.mark.parametrize("age", [-31, 31])
    def test_signature_thirty_one_seconds_off_is_refused(self, age: int) -> None:
        assert not read(signed(httpx.Request("GET", f"{URL}/")), now=NOW + age).is_signed_with(SECRET)

    def test_expired_signature_is_refused(self) -> None:
        assert not read(handmade({**PARAMS, "expires": NOW - 1})).is_signed_with(SECRET)

    def test_other_authority_is_refused(self) -> None:
        request = signed(httpx.Request("GET", "https://evil.example/"))
        assert not read(request).is_signed_with(SECRET)

    def test_sha_512_digest_is_accepted(self) -> None:
        assert read(signed(httpx.Request("PUT", f"{URL}/", content=b"x"), digest="sha-512")).is_signed_with(SECRET)

    @given(
        method=st.sampled_from(["GET", "POST", "DELETE", "PATCH"]),
        path=PATHS,
        query=st.text(f"{ascii_lowercase}{digits}=&%+", max_size=20),
        body=st.binary(max_size=50),
    )
    def test_every_signed_request_verifies(self, method: str, path: str, query: str, body: bytes) -> None:
        request = signed(
            httpx.Request(method, httpx.URL(URL).copy_with(raw_path=f"{path}?{query}".encode()), content=body)
        )
        assert read(request).is_signed_with(SECRET)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"method": "DELETE"}, id="method"),
            pytest.param({"raw_path": b"/v1/y"}, id="path"),
            pytest.param({"raw_path": b"/v1/%78"}, id="path spelt otherwise"),
            pytest.param({"raw_query": b"a=2"}, id="query"),
            pytest.param({"raw_query": b"a=1&a=1"}, id="query twice"),
            pytest.param({"raw_query": b""}, id="no query"),
            pytest.param({"body": b'{"a": 2}'}, id="body"),
            pytest.param({"body": b""}, id="no body"),
        ],
    )
    def test_tampered_request_is_refused(self, change: dict[str, str | bytes]) -> None:
        request = signed(httpx.Request("POST", f"{URL}/v1/x?a=1", json={"a": 1}))
        changed = {**{f.name: getattr(request, f.name) for f in fields(request)}, **change}
        assert not read(HttpRequest(**changed)).is_signed_with(SECRET)

    def test_work_grows_with_the_number_of_fields(self) -> None:
        names = [CountedName(f"x-{number}") for number in range(500)]
        request = HttpRequest("GET", b"/", b"", tuple((name, "") for name in names), b"")
        CountedName.comparisons = 0
        signature_base(request, Origin.of(URL), covering(names, {}))
        assert CountedName.comparisons < 20 * len(names)

    def test_body_is_hashed_once_for_all_signatures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hashed: list[bytes] = []

        def matches(field_value: str, body: bytes) -> bool:
            hashed.append(body)
            return digest_matches(field_value, body)

        monkeypatch.setattr("bongsu.identity.signatures.digest_matches", matches)
        request = signed(httpx.Request("POST", f"{URL}/v1/x", content=b"signed"))
        more = [(name, value.replace("sig1=", "sig2=")) for name, value in request.headers if name.startswith("sig")]
        both = replace(request, headers=(*request.headers, *more))
        claims = SignatureReader(URL, now=lambda: NOW).read(both)
        assert [claim.is_signed_with(SECRET) for claim in claims] == [True, True]
        assert hashed == [b"signed"]

    def test_second_digest_beside_the_signed_one_is_refused(self) -> None:
        request = signed(httpx.Request("POST", f"{URL}/v1/x", content=b"signed"))
        headers = (*request.headers, ("content-digest", content_digest(b"other")))
        changed = HttpRequest(request.method, request.raw_path, request.raw_query, headers, b"other")
        assert not read(changed).is_signed_with(SECRET)

    @given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
    def test_any_flipped_bit_of_the_signature_fields_is_refused(self, position: int, bit: int) -> None:
        request = signed(httpx.Request("GET", f"{URL}/v1/x?a=1"))
        index = {name: i for i, (name, _) in enumerate(request.headers)}
        field = index["signature" if position % 2 else "signature-input"]
        name, value = request.headers[field]
        at = position % len(value)
        flipped = value[:at] + chr(ord(value[at]) ^ (1 << bit)) + value[at + 1 :]
        headers = [*request.headers]
        headers[field] = (name, flipped)
        changed = HttpRequest(request.method, request.raw_path, request.raw_query, tuple(headers), request.body)
        assert not accepted(changed)


def accepted(request: HttpRequest) -> bool:
    try:
        claim = read(request)
    except SignatureMalformed:
        return False
    return claim.is_signed_with(SECRET)


class TestRequestSigner:
    def claims_of(self, requests: list[httpx.Request]) -> list[SignatureClaim]:
        return [read(received(request)) for request in requests]

    def test_sync_client_signs(self) -> None:
        seen: list[httpx.Request] = []
        with httpx.Client(
            auth=RequestSigner(KEY, SECRET, now=lambda: NOW), transport=httpx.MockTransport(answering(seen))
        ) as client:
            client.post(f"{URL}/v1/x", content=iter([b"a", b"b"]))
        [claim] = self.claims_of(seen)
        assert claim.is_signed_with(SECRET)

    async def test_async_client_signs_a_streamed_body(self) -> None:
        seen: list[httpx.Request] = []

        async def body() -> AsyncIterator[bytes]:
            yield b"a"

        async with httpx.AsyncClient(
            auth=RequestSigner(KEY, SECRET, now=lambda: NOW), transport=httpx.MockTransport(answering(seen))
        ) as client:
            await client.post(f"{URL}/v1/x", content=body())
        [claim] = self.claims_of(seen)
        assert claim.is_signed_with(SECRET)

    def test_request_gets_a_new_signature_when_it_is_sent_again(self) -> None:
        seen: list[httpx.Request] = []
        nonces: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            nonces.append(read(received(request)).nonce)
            seen.append(request)
            return httpx.Response(503)

        with httpx.Client(auth=RequestSigner(KEY, SECRET, now=lambda: NOW), transport=httpx.MockTransport(answer)) as c:
            request = c.build_request("POST", f"{URL}/v1/x", json={})
            c.send(request)
            c.send(request)
        assert len(set(nonces)) == 2
        assert all(claim.is_signed_with(SECRET) for claim in self.claims_of(seen))

    def test_public_url_is_signed_when_another_address_is_called(self) -> None:
        request = httpx.Request("GET", "http://10.0.0.7:9000/a")
        RequestSigner(KEY, SECRET, public_url=URL, now=lambda: NOW).sign(request)
        assert read(received(request)).is_signed_with(SECRET)


def answering(seen: list[httpx.Request]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    return answer
