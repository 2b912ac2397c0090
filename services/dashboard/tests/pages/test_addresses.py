import pytest

from bongsu_dashboard.pages.addresses import oauth_url, path_of, safe_path, with_next


class TestSafePath:
    @pytest.mark.parametrize(
        "path", ["/", "/guilds", "/guilds/1?show=all&q=a%20b", "/a/b#c", "/한글", "/@x", "/a?b=//c"]
    )
    def test_local_path_is_kept(self, path: str) -> None:
        assert safe_path(path) == path

    @pytest.mark.parametrize(
        "wish",
        [
            None,
            "",
            "guilds",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "/a//b",
            "/%09/evil.example",
            "/.//evil.example",
            "/%2f/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "/\tevil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "/\x00",
            "\t//evil.example",
            " /guilds",
            "/ /evil.example",
            "/\u2028",
            "/\u00a0x",
            "/\u202ex",
            "?next=/",
            "#a",
            "/" + "a" * 2000,
        ],
    )
    def test_anything_else_leads_home(self, wish: str | None) -> None:
        assert safe_path(wish) == "/"


class TestPathOf:
    def test_the_path_and_query_of_our_own_address(self) -> None:
        assert path_of("http://a.test/guilds?show=all", "a.test") == "/guilds?show=all"

    @pytest.mark.parametrize("url", [None, "", "http://b.test/x", "http://a.test//b.test", "http://[", "/x"])
    def test_address_of_another_site_is_refused(self, url: str | None) -> None:
        assert path_of(url, "a.test") == "/"


class TestOauthUrl:
    def test_oauth_url_includes_the_next_path(self) -> None:
        assert oauth_url("discord", "/guilds?show=all") == "/auth/oauth/discord/authorize?next=/guilds%3Fshow%3Dall"

    def test_an_unsafe_way_back_is_dropped(self) -> None:
        assert oauth_url("google", "//evil.example") == "/auth/oauth/google/authorize?next=/"

    def test_a_provider_cannot_change_the_address(self) -> None:
        assert oauth_url("../x?", "/") == "/auth/oauth/..%2Fx%3F/authorize?next=/"


class TestWithNext:
    def test_with_next_encodes_reserved_characters(self) -> None:
        assert with_next("/login", "/a?b=c&d") == "/login?next=/a%3Fb%3Dc%26d"
