"""Which network addresses are anybody's, and which may be a service of this network."""

import ipaddress
import socket
from collections.abc import Iterator

from core.errors import Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_NOT_GLOBAL = (  # what some Python versions call global all the same
    ipaddress.ip_network("100.64.0.0/10"),  # RFC 6598, carrier-grade NAT
    ipaddress.ip_network("192.0.0.0/24"),  # RFC 6890
    ipaddress.ip_network("64:ff9b:1::/48"),  # RFC 8215
    ipaddress.ip_network("fec0::/10"),  # RFC 3879
)


def is_global(address: Address) -> bool:
    """Whether an address, and every address inside it, is a public unicast one."""
    return all(
        candidate.is_global
        and not candidate.is_multicast
        and not candidate.is_reserved
        and not any(candidate in network for network in _NOT_GLOBAL)
        for candidate in _unwrapped(address)
    )


def addresses_of(host: str, port: int) -> list[Address]:
    """Every address of a host name or literal; raises Unavailable when the name can't be looked up."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"host {host!r} can't be looked up: {error}") from error
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def _unwrapped(address: Address) -> Iterator[Address]:
    """The address that counts: for an IPv6 address that carries an IPv4 one, the latter as well."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the mapped form itself is never "global"
        return
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
