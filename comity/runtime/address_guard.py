"""Which network addresses the house connects to: public ones only (profile C4, catalogue R01 to R03)."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

from comity.errors import Code, Unreachable
from comity.runtime.neighbour import LOOPBACK
from comity.runtime.urls import is_loopback_host

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Takes a host name and a port, returns every address of the name as text; raises OSError when there is none."""

# IANA special-purpose registries (RFC 6890 and updates). IPv4: everything is public but these.
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared address space
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# IPv6: nothing is public but global unicast, and of that not these. Mapped, translated (64:ff9b::/96), unique local,
# link local and multicast addresses all lie outside 2000::/3.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # former 6bone
        "3fff::/20",  # documentation
        "2001:0:0:0:0:5efe::/96",  # ISATAP
    )
)


def is_public(address: IPAddress) -> bool:
    """Say whether ``address`` is reachable from anywhere on the internet and belongs to no special range."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return every address of ``host`` as the operating system sees it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressGuard:
    """Resolves a host once and hands out its addresses only if every one of them is allowed."""

    def __init__(
        self, *, resolve: Resolver = system_resolver, allow_loopback: bool = False, neighbour: str = ""
    ) -> None:
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._neighbour = neighbour

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses to connect to, in the resolver's order, never empty.

        One refused address refuses the host: a name with a public and a private address is an attack or a mistake.
        Loopback is allowed only to hosts that are *spelled* as loopback, never to a name that resolves there. The
        neighbour is not resolved at all: it is this machine, whatever anybody's name service says.

        Raises:
            Unreachable: ``address_not_public``; ``unreachable`` when the name has no address.
        """
        if self._neighbour and host.lower() == self._neighbour:
            return (LOOPBACK,)
        try:
            found = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, ValueError):
            raise Unreachable(Code.UNREACHABLE, f"the host name {host} has no address") from None
        if not found:
            raise Unreachable(Code.UNREACHABLE, f"the host name {host} has no address")
        loopback = self._allow_loopback and is_loopback_host(host)
        if not all(address.is_loopback if loopback else is_public(address) for address in found):
            raise Unreachable(Code.ADDRESS_NOT_PUBLIC, f"the host name {host} leads to an address that is not public")
        return tuple(str(address) for address in found)
