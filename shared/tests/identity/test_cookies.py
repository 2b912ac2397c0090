"""Cookie names and attributes."""

import pytest
from starlette.responses import Response

from bongsu.identity.cookies import AuthCookies, is_same_origin


class TestAuthCookies:
    def test_names_have_prefixes_when_the_url_is_https(self) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        assert (jar.access, jar.refresh, jar.secure) == ("__Host-access", "__Secure-refresh", True)

    def test_names_have_the_port_when_the_url_is_http(self) -> None:
        one, other = AuthCookies.of("http://localhost:8000"), AuthCookies.of("http://localhost:8001")
        assert (one.access, one.secure) == ("access-8000", False)
        assert one.access != other.access

    def test_refresh_cookie_is_sent_to_auth_only(self) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        response = Response()
        jar.set(response, jar.access, "a", max_age_s=900)
        jar.set(response, jar.refresh, "r", max_age_s=900)
        assert response.headers.getlist("set-cookie") == [
            "__Host-access=a; HttpOnly; Max-Age=900; Path=/; SameSite=lax; Secure",
            "__Secure-refresh=r; HttpOnly; Max-Age=900; Path=/auth; SameSite=lax; Secure",
        ]

    @pytest.mark.parametrize("name", ["access", "registration", "device", "mfa", "flow"])
    def test_cookie_belongs_to_the_host(self, name: str) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        response = Response()
        jar.set(response, getattr(jar, name), "v", max_age_s=600)
        assert response.headers["set-cookie"] == f"__Host-{name}=v; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure"


class TestIsSameOrigin:
    @pytest.mark.parametrize(
        ("headers", "same"),
        [
            ({}, True),
            ({"origin": "https://a.example"}, True),
            ({"origin": "https://b.example"}, False),
            ({"origin": "null"}, False),
            ({"origin": ""}, False),
            ({"referer": "https://a.example/page?x"}, True),
            ({"referer": "https://b.example/"}, False),
            ({"referer": "https://a.example@b.example/"}, False),
            ({"referer": "https://["}, False),
            ({"origin": "https://a.example", "referer": "https://b.example/"}, True),
            ({"sec-fetch-site": "same-origin"}, True),
            ({"sec-fetch-site": "none"}, True),
            ({"sec-fetch-site": "same-site", "origin": "https://a.example"}, False),
            ({"sec-fetch-site": "cross-site"}, False),
        ],
    )
    def test_pages_of_other_sites_are_recognised(self, headers: dict[str, str], same: bool) -> None:
        assert is_same_origin(headers, "https://a.example") is same
