"""IP addresses and networks."""

import pytest

from bongsu.runtime.networks import client_address, client_network, is_within, parse_address, parse_network


class TestParseNetwork:
    @pytest.mark.parametrize(
        ("text", "network"),
        [
            ("203.0.113.7", "203.0.113.7/32"),
            (" 203.0.113.0/24 ", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
        ],
    )
    def test_network_has_one_spelling(self, text: str, network: str) -> None:
        assert str(parse_network(text)) == network

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "localhost",
            "10.0.0",
            "010.0.0.1",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/8/8",
            "10.0.0.1/8",
            "::ffff:10.0.0.1/104",
            "2001:db8::/129",
            "2001:db8::1/32",
            "fe80::1%eth0",
            "fe80::%eth0/64",
        ],
    )
    def test_network_is_refused_when_its_text_is_ambiguous(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"must be an IP address or a CIDR block|has bits set"):
            parse_network(text)

    def test_error_names_the_network_when_bits_are_set_after_the_prefix(self) -> None:
        with pytest.raises(ValueError, match=r"use 10\.0\.0\.0/8"):
            parse_network("10.0.0.1/8")


class TestParseAddress:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("203.0.113.7", "203.0.113.7"),
            (" ::1 ", "::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("fe80::1%eth0", "fe80::1"),
        ],
    )
    def test_address_has_one_spelling(self, text: str, address: str) -> None:
        assert str(parse_address(text)) == address

    @pytest.mark.parametrize("text", ["", "x", "203.0.113.7:80", "[::1]", "203.0.113.0/24", "010.0.0.1"])
    def test_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_address(text)


class TestIsWithin:
    NETWORKS = (parse_network("203.0.113.0/24"), parse_network("2001:db8::/32"))

    @pytest.mark.parametrize(
        "address", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9", "2001:db8::1", "2001:db8:ffff::%eth0"]
    )
    def test_address_in_a_network_is_within(self, address: str) -> None:
        assert is_within(address, self.NETWORKS)

    @pytest.mark.parametrize(
        "address", ["203.0.112.255", "203.0.114.0", "::203.0.113.9", "2001:db9::", "nonsense", "", None]
    )
    def test_other_address_is_not(self, address: str | None) -> None:
        assert not is_within(address, self.NETWORKS)

    def test_ipv6_address_is_not_within_the_whole_of_ipv4(self) -> None:
        assert not is_within("2001:db8::1", [parse_network("0.0.0.0/0")])


class TestClientAddress:
    PROXIES = (parse_network("10.0.0.0/8"), parse_network("fd00::/8"))

    @pytest.mark.parametrize(
        ("peer", "forwarded_for", "address"),
        [
            pytest.param("198.51.100.1", ["1.1.1.1"], "198.51.100.1", id="the peer is not a proxy"),
            pytest.param("10.0.0.2", ["6.6.6.6, 203.0.113.7", "10.0.0.9"], "203.0.113.7", id="proxies in a row"),
            pytest.param("10.0.0.2", ["10.0.0.3, 6.6.6.6, 203.0.113.7"], "203.0.113.7", id="written by the client"),
            pytest.param("::ffff:10.0.0.2", ["203.0.113.7"], "203.0.113.7", id="the proxy's address is mapped"),
            pytest.param("10.0.0.2", ["::ffff:203.0.113.7"], "203.0.113.7", id="the client's address is mapped"),
            pytest.param("fd00::2", ["2001:db8::7"], "2001:db8::7", id="IPv6"),
            pytest.param("10.0.0.2", ["203.0.113.7, unknown"], "10.0.0.2", id="a malformed hop"),
            pytest.param("10.0.0.2", ["203.0.113.7,"], "10.0.0.2", id="an empty hop"),
            pytest.param("10.0.0.2", [], "10.0.0.2", id="no field"),
            pytest.param("10.0.0.2", ["10.0.0.3"], "10.0.0.3", id="proxies only"),
            pytest.param(None, ["1.1.1.1"], None, id="a Unix socket"),
            pytest.param("testclient", ["1.1.1.1"], None, id="the peer is not an address"),
        ],
    )
    def test_client_is_the_nearest_address_that_is_not_a_proxy(
        self, peer: str | None, forwarded_for: list[str], address: str | None
    ) -> None:
        assert client_address(peer, forwarded_for, self.PROXIES) == address

    def test_field_is_ignored_when_no_proxy_is_trusted(self) -> None:
        assert client_address("10.0.0.2", ["1.1.1.1"], ()) == "10.0.0.2"


class TestClientNetwork:
    @pytest.mark.parametrize(
        ("address", "network"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            (None, ""),
        ],
    )
    def test_ipv6_counts_by_its_64_bit_prefix(self, address: str | None, network: str) -> None:
        assert client_network(address) == network
