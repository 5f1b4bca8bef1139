"""Which addresses a service may reach on behalf of others: public ones, and those that its operator named.

What a site answers (links, redirects, its name's addresses) may point anywhere, also to what only this
machine can see. So the address that is *dialled* is checked: a name cannot be bound anew in between, and
however an address is written, it is the same number by then.

The ranges are those of the IANA registries of special-purpose addresses (RFC 6890).
"""

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

_PRIVATE_4 = [
    IPv4Network(each)
    for each in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]
_SPECIAL_4 = [
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, where clouds tell their machines' secrets
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_PRIVATE_6 = [IPv6Network("::1/128"), IPv6Network("fc00::/7")]
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = [
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols, among them Teredo, which holds an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",
    )
]
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """An address that may not be reached."""


def standing(address: str) -> str:
    """What an address is: `public`, `private` (loopback too), or `special`: nobody's to be asked.

    An IPv6 address that holds an IPv4 address and leads there (mapped, NAT64) is what that one is.

    Args:
        address: An IP address as the system writes it, perhaps with a zone (`fe80::1%eth0`).

    Raises:
        ValueError: If it is no IP address.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return "special"  # only on one link
        held = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if held is None:
            return _standing_6(ip)
        ip = held
    if any(ip in network for network in _PRIVATE_4):
        return "private"
    return "special" if any(ip in network for network in _SPECIAL_4) else "public"


def _standing_6(ip: IPv6Address) -> str:
    if any(ip in network for network in _PRIVATE_6):
        return "private"
    return "public" if ip in _GLOBAL_6 and not any(ip in network for network in _SPECIAL_6) else "special"


class Guard:
    """Lets connections go to public addresses, and to others only where the operator named them.

    Named is a host with a port. A named *name* may stand for private addresses; link-local, multicast and
    other special ones are reached only where the address itself is named.

    Args:
        named: Addresses (URLs) of the operator's configuration.
        resolver: What finds the addresses of names; the system where left out.
    """

    def __init__(self, named: Iterable[str] = (), resolver: AbstractResolver | None = None) -> None:
        self._named = {_host_and_port(URL(url)) for url in named}
        self._resolver = resolver
        self._granted: dict[tuple[str, int], frozenset[str]] = {}

    def resolver(self) -> AbstractResolver:
        """What finds addresses of names, without those that may not be reached."""
        return _GuardedResolver(self, self._resolver or ThreadedResolver())

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket to dial an address with.

        Args:
            info: The address as of `socket.getaddrinfo`.

        Raises:
            AddressRefused: If it may not be dialled.
        """
        family, kind, protocol, _, place = info
        host, port = str(place[0]), int(place[1])
        granted = (host, port) in self._named or any(
            host in addresses for (_, named), addresses in self._granted.items() if named == port
        )
        if not granted and standing(host) != "public":
            raise refused(host)
        return socket.socket(family, kind, protocol)

    def passed(self, host: str, port: int, addresses: Iterable[str]) -> frozenset[str]:
        """Those addresses of a host that may be dialled; noted, where they are the operator's."""
        key = (_plain(host), port)
        found = {each: standing(each) for each in addresses}
        public = frozenset(each for each, what in found.items() if what == "public")
        if key not in self._named:
            return public
        private = frozenset(each for each, what in found.items() if what == "private")
        self._granted[key] = private
        return public | private


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        passed = self._guard.passed(host, port, [each["host"] for each in found])
        if found and not passed:
            raise refused(found[0]["host"])
        return [each for each in found if each["host"] in passed]

    async def close(self) -> None:
        await self._inner.close()


def refused(address: str) -> AddressRefused:
    """The error for an address that may not be reached; says what it is, not which."""
    what = standing(address)
    return AddressRefused(
        errno.EACCES, f"its address is {what}, and no endpoint in the configuration names its host and port"
    )


def _host_and_port(url: URL) -> tuple[str, int]:
    return _plain(url.raw_host or ""), url.port or 0


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
