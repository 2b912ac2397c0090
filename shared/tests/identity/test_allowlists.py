"""Allow-lists and the caller's address."""

import pytest

from bongsu.identity.allowlists import allows, client_address, parse_entry


class TestParseEntry:
    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            ("203.0.113.7", "203.0.113.7/32"),
            (" 203.0.113.0/24 ", "203.0.113.0/24"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ],
    )
    def test_entry_is_stored_in_one_form(self, text: str, stored: str) -> None:
        assert str(parse_entry(text)) == stored

    @pytest.mark.parametrize(
        "text",
        ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "010.0.0.1", "10.0.0", "1/1/1"],
    )
    def test_unclear_entry_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_entry(text)

    def test_entry_with_bits_behind_its_prefix_is_told_the_right_one(self) -> None:
        with pytest.raises(ValueError, match=r"10\.0\.0\.0/8"):
            parse_entry("10.0.0.1/8")


class TestAllows:
    def test_empty_list_allows_every_address(self) -> None:
        assert allows([], "203.0.113.7")
        assert allows([], None)

    @pytest.mark.parametrize("address", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"])
    def test_address_in_a_block_is_allowed(self, address: str) -> None:
        assert allows(["203.0.113.0/24"], address)

    @pytest.mark.parametrize(
        "address", ["203.0.112.255", "203.0.114.0", "::203.0.113.9", "2001:db8::1", "nonsense", "", None]
    )
    def test_other_address_is_not(self, address: str | None) -> None:
        assert not allows(["203.0.113.0/24"], address)

    def test_every_ipv4_address_is_not_every_ipv6_address(self) -> None:
        assert not allows(["0.0.0.0/0"], "2001:db8::1")


class TestClientAddress:
    PROXIES = ("10.0.0.0/8",)

    def test_without_trusted_proxies_no_header_is_believed(self) -> None:
        assert client_address("198.51.100.1", ["1.1.1.1"], ()) == "198.51.100.1"

    def test_peer_that_is_no_proxy_speaks_for_itself_only(self) -> None:
        assert client_address("198.51.100.1", ["1.1.1.1"], self.PROXIES) == "198.51.100.1"

    def test_nearest_address_before_our_proxies_counts(self) -> None:
        hops = ["6.6.6.6, 203.0.113.7", "10.0.0.9"]
        assert client_address("10.0.0.2", hops, self.PROXIES) == "203.0.113.7"

    def test_what_a_caller_writes_to_the_left_changes_nothing(self) -> None:
        assert client_address("10.0.0.2", ["10.0.0.3, 6.6.6.6, 203.0.113.7"], self.PROXIES) == "203.0.113.7"

    def test_mapped_peer_is_recognised_as_a_proxy(self) -> None:
        assert client_address("::ffff:10.0.0.2", ["203.0.113.7"], self.PROXIES) == "203.0.113.7"

    def test_unreadable_hop_ends_the_chain(self) -> None:
        assert client_address("10.0.0.2", ["203.0.113.7, unknown"], self.PROXIES) == "10.0.0.2"

    def test_proxy_without_a_header_is_the_caller(self) -> None:
        assert client_address("10.0.0.2", [], self.PROXIES) == "10.0.0.2"

    def test_connection_without_an_address_has_none(self) -> None:
        assert client_address(None, ["1.1.1.1"], self.PROXIES) is None
