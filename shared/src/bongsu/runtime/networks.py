"""IP addresses and networks: allow-lists, trusted proxies, and what counts as one client.

An IPv4 address or network written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 one everywhere.
"""

import contextlib
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_NOT_A_NETWORK = "must be an IP address or a CIDR block, such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32"
_MAPPED = IPv6Network("::ffff:0:0/96")
_IPV6_CLIENT_BITS = 64
"""The network that one IPv6 customer chooses addresses from."""


def parse_network(text: str) -> IPNetwork:
    """Parse an address or a CIDR block.

    :raises ValueError: the text is neither, has a zone, a netmask, or bits set after its prefix.
    """
    host, slash, bits = text.strip().partition("/")
    if "%" in host or (slash and not bits.isdigit()):
        raise ValueError(_NOT_A_NETWORK)
    try:
        network = ip_network(f"{host}{slash}{bits}", strict=False)
    except ValueError:
        raise ValueError(_NOT_A_NETWORK) from None
    if slash and ip_address(host) != network.network_address:
        raise ValueError(f"has bits set after its prefix: use {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def parse_address(text: str) -> IPAddress:
    """Parse an address; a zone (`%eth0`) is dropped.

    :raises ValueError: the text is not an address.
    """
    address = ip_address(text.strip().partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_within(address: str | None, networks: Iterable[IPNetwork]) -> bool:
    """Whether one of the networks contains the address; False for an unknown or malformed one."""
    try:
        parsed = parse_address(address or "")
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def client_address(peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[IPNetwork]) -> str | None:
    """Return the client's address: the nearest one that is not a trusted proxy. None where it is unknown.

    Any client can write what stands further left in X-Forwarded-For.

    :param peer: the other end of the connection; None for a Unix socket.
    :param forwarded_for: the values of the X-Forwarded-For fields, in order.
    :param trusted: the networks of our own proxies; where it is empty, no field is believed.
    """
    hops = [hop for value in forwarded_for for hop in value.split(",")]
    current: IPAddress | None = None
    with contextlib.suppress(ValueError):  # a malformed hop ends the chain: who reported it is the client
        current = parse_address(peer or "")
        for hop in reversed(hops):
            if not any(current in network for network in trusted):
                break
            current = parse_address(hop)
    return None if current is None else str(current)


def client_network(address: str | None) -> str:
    """Return what counts as one client in limits: an IPv4 address, or an IPv6 /64. Empty for an unknown address.

    :raises ValueError: the text is not an address.
    """
    if address is None:
        return ""
    parsed = parse_address(address)
    return str(IPv6Network((parsed, _IPV6_CLIENT_BITS), strict=False) if isinstance(parsed, IPv6Address) else parsed)
