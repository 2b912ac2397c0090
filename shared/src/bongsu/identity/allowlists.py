"""From which addresses a key may be used, and which address a caller has.

An empty allow-list means any address: a key is made without one, and restricting it is a choice.
"""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_MAPPED = ip_network("::ffff:0:0/96")


def parse_entry(text: str) -> IPNetwork:
    """Reads an address or a CIDR block; an IPv4 block written as IPv6 (`::ffff:10.0.0.0/104`) becomes IPv4.

    :raises ValueError: not an address or block, one with bits set behind its prefix, or one with a zone.
    """
    written = text.strip()
    if "%" in written:
        raise ValueError("an address with a zone (%) cannot be listed")
    if "/" in written and not written.rpartition("/")[2].isdigit():
        raise ValueError("give the prefix as a number of bits, such as 203.0.113.0/24")
    try:
        network = ip_network(written, strict=False)
    except ValueError:
        raise ValueError("not an IP address or CIDR block, such as 203.0.113.7 or 203.0.113.0/24") from None
    host, _, prefix = written.partition("/")
    if prefix and ip_address(host) != network.network_address:
        raise ValueError(f"bits are set behind the prefix; did you mean {network}?")
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.subnet_of(_as_v6(_MAPPED)):
        mapped = network.network_address.ipv4_mapped
        return ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def parse_address(text: str) -> IPAddress:
    """Reads an address; an IPv4 address written as IPv6 becomes IPv4, and a zone is dropped.

    :raises ValueError: not an address.
    """
    address = ip_address(text.strip().partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def allows(entries: Sequence[str], address: str | None) -> bool:
    """Whether an address is in one of the entries; with no entries, every address is, even an unknown one."""
    if not entries:
        return True
    if address is None:
        return False
    try:
        found = parse_address(address)
    except ValueError:
        return False
    return any(found in parse_entry(entry) for entry in entries)


def client_address(peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[str]) -> str | None:
    """The address that a caller has, as far as the proxies that we trust can tell.

    :param peer: the other end of the connection; None for a Unix socket.
    :param forwarded_for: the values of X-Forwarded-For, in order.
    :param trusted: the blocks in which our own proxies are. Empty: nothing that a header says is believed.
    :returns: The nearest address that is not one of our proxies. What lies left of it was written by the caller.
    """
    try:
        current = parse_address(peer or "")
    except ValueError:
        return None
    blocks = [parse_entry(entry) for entry in trusted]
    hops = [hop for value in forwarded_for for hop in value.split(",")]
    for hop in reversed(hops):
        if not any(current in block for block in blocks):
            break
        try:
            current = parse_address(hop)
        except ValueError:
            break
    return str(current)


def _as_v6(network: IPNetwork) -> IPv6Network:
    assert isinstance(network, IPv6Network)  # noqa: S101 - narrows a constant for the type checker
    return network
