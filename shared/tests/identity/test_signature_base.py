"""The signature base."""

import base64
import hmac

import pytest
from http_sf import Token

from bongsu.identity.signature_base import (
    HttpRequest,
    Origin,
    SignatureMalformed,
    covering,
    signature_base,
)
from bongsu.identity.structured_fields import Item

# RFC 9421 appendix B.2: the request that its examples sign.
RFC_REQUEST = HttpRequest.of(
    "POST",
    b"/foo",
    b"param=Value&Pet=dog",
    [
        (b"Host", b"example.com"),
        (b"Date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"18"),
    ],
    b'{"hello": "world"}',
)
RFC_SECRET = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
ORIGIN = Origin("https", "example.com")


def base_of(request: HttpRequest, *names: str) -> list[str]:
    return signature_base(request, ORIGIN, covering(names, {})).decode().split("\n")[:-1]


class TestOrigin:
    @pytest.mark.parametrize(
        ("url", "authority"),
        [
            ("https://Example.COM", "example.com"),
            ("https://example.com:443/x", "example.com"),
            ("http://example.com:80", "example.com"),
            ("http://example.com:443", "example.com:443"),
            ("http://localhost:8000", "localhost:8000"),
            ("http://[2001:DB8::1]:8000", "[2001:db8::1]:8000"),
        ],
    )
    def test_authority_is_lower_case_without_the_default_port(self, url: str, authority: str) -> None:
        assert Origin.of(url).authority == authority

    @pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "http://", "http://a:99999"])
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Origin.of(url)


class TestSignatureBase:
    def test_base_is_that_of_rfc_9421_appendix_b_2_5(self) -> None:
        signed = covering(
            ["date", "@authority", "content-type"], {"created": 1618884473, "keyid": "test-shared-secret"}
        )
        base = signature_base(RFC_REQUEST, ORIGIN, signed)
        assert base.decode() == (
            '"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
            '"@authority": example.com\n'
            '"content-type": application/json\n'
            '"@signature-params": ("date" "@authority" "content-type")'
            ';created=1618884473;keyid="test-shared-secret"'
        )
        mac = hmac.digest(base64.b64decode(RFC_SECRET), base, "sha256")
        assert base64.b64encode(mac).decode() == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="

    def test_derived_components_have_the_values_of_the_rfc(self) -> None:
        assert base_of(
            RFC_REQUEST, "@method", "@authority", "@scheme", "@path", "@query", "@request-target", "@target-uri"
        ) == [
            '"@method": POST',
            '"@authority": example.com',
            '"@scheme": https',
            '"@path": /foo',
            '"@query": ?param=Value&Pet=dog',
            '"@request-target": /foo?param=Value&Pet=dog',
            '"@target-uri": https://example.com/foo?param=Value&Pet=dog',
        ]

    def test_absent_query_signs_as_a_question_mark(self) -> None:
        request = HttpRequest.of("GET", b"/a", b"", [], b"")
        assert base_of(request, "@query") == ['"@query": ?']

    def test_path_is_taken_as_sent(self) -> None:
        request = HttpRequest.of("GET", b"/%7Ea/%e2%82%AC/../b", b"", [], b"")
        assert base_of(request, "@path") == ['"@path": /%7Ea/%e2%82%AC/../b']

    def test_authority_never_comes_from_the_host_field(self) -> None:
        request = HttpRequest.of("GET", b"/", b"", [(b"Host", b"evil.example")], b"")
        assert base_of(request, "@authority") == ['"@authority": example.com']

    def test_values_of_one_field_are_joined_in_order(self) -> None:
        request = HttpRequest.of("GET", b"/", b"", [(b"X-A", b"  1 "), (b"x-b", b"z"), (b"x-a", b"2\t")], b"")
        assert base_of(request, "x-a") == ['"x-a": 1, 2']

    @pytest.mark.parametrize(
        "component",
        [
            ("@status", {}),
            ("@query-param", {"name": "a"}),
            ("@method", {"req": True}),
            ("date", {"tr": True}),
            ("date", {"sf": True}),
            ("x-absent", {}),
            ("Date", {}),
            (7, {}),
            (Token("date"), {}),
        ],
    )
    def test_component_that_cannot_be_evaluated_is_refused(self, component: Item) -> None:
        with pytest.raises(SignatureMalformed):
            signature_base(RFC_REQUEST, ORIGIN, ([component], {}))

    def test_repeated_component_is_refused(self) -> None:
        with pytest.raises(SignatureMalformed, match="twice"):
            base_of(RFC_REQUEST, "@method", "@method")

    def test_text_beyond_ascii_is_refused(self) -> None:
        request = HttpRequest.of("GET", "/봉수".encode(), b"", [], b"")
        with pytest.raises(SignatureMalformed, match="ASCII"):
            base_of(request, "@path")

    def test_field_with_a_line_break_is_refused(self) -> None:
        request = HttpRequest.of("GET", b"/", b"", [(b"x-a", b'1\n"@method": PUT')], b"")
        with pytest.raises(SignatureMalformed, match="line break"):
            base_of(request, "x-a")
