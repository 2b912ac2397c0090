"""Cookie names and attributes."""

from starlette.responses import Response

from bongsu.identity.cookies import AuthCookies


class TestCookieJar:
    def test_https_names_are_guarded_by_browsers(self) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        assert (jar.access, jar.refresh, jar.secure) == ("__Host-access", "__Secure-refresh", True)

    def test_http_names_carry_the_port(self) -> None:
        one, other = AuthCookies.of("http://localhost:8000"), AuthCookies.of("http://localhost:8001")
        assert (one.access, one.secure) == ("access-8000", False)
        assert one.access != other.access

    def test_access_cookie_goes_everywhere_and_the_others_to_auth(self) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        response = Response()
        jar.set(response, jar.access, "a", max_age_s=900)
        jar.set(response, jar.refresh, "r", max_age_s=900)
        assert response.headers.getlist("set-cookie") == [
            "__Host-access=a; HttpOnly; Max-Age=900; Path=/; SameSite=lax; Secure",
            "__Secure-refresh=r; HttpOnly; Max-Age=900; Path=/auth; SameSite=lax; Secure",
        ]

    def test_each_flow_has_a_cookie_of_its_own_that_browsers_guard(self) -> None:
        jar = AuthCookies.of("https://bongsu.example")
        one, other = jar.flow_of("state"), jar.flow_of("another")
        assert one != other
        assert one.startswith("__Host-")
        assert "state" not in one
        response = Response()
        jar.set(response, one, "f", max_age_s=600)
        assert response.headers["set-cookie"] == f"{one}=f; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure"
