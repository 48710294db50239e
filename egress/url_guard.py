"""Decides which addresses outside may be spoken to: those of URLs that settings, messages or answers name.

A name is resolved and every address it has must be public, whatever it is written like; networks that operations
allow are public too. Who then connects must connect to an address that was checked (:mod:`egress.guarded_http`):
a name may lead elsewhere a moment later.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Iterable[str]]
"""Addresses of a name, as text. Raises OSError. Blocks."""

LONGEST = 2048
"""Characters of a URL."""

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "rtmp": 1935, "rtmps": 443}
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocols and a cloud's own services
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up
    IPv4Network("168.63.129.16/32"),  # a cloud's own services, at an address of the public kind
    IPv6Network("64:ff9b:1::/48"),  # NAT64 into a network of one's own
    IPv6Network("3fff::/20"),  # documentation
)
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")

_RESOLVING = ThreadPoolExecutor(8, thread_name_prefix="resolve")
"""Threads of their own: a name server that does not answer must hold up nothing else."""


class UrlRefused(Exception):
    """That URL may not be spoken to. The text is one sentence that names it without its secrets."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A URL whose form was checked, and the host that it names as a name server knows it."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """Without user, password, path and query: any of them may be secret."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an address, of which no name server has to be asked. Raises UrlRefused."""
        return _literal(self.host) is not None


def by_name_servers(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Guard:
    """The rules. ``allow`` are networks that may be spoken to although they are not public.

    Raises ValueError when one of them is no network.
    """

    def __init__(
        self,
        schemes: Collection[str] = ("https", "http"),
        allow: Iterable[str] = (),
        resolve: Resolve = by_name_servers,
    ) -> None:
        self.schemes = frozenset(schemes)
        self._allow = tuple(ip_network(network, strict=False) for network in allow)
        self._resolve = resolve

    def form(self, url: str, *, credentials: bool = False) -> Checked:
        """Check what can be told without a name server. ``credentials``: it may hold a user and a password.

        Raises UrlRefused.
        """
        if len(url) > LONGEST:
            raise UrlRefused(f"a URL has at most {LONGEST} characters, this one has {len(url)}")
        if not url.isprintable() or " " in url or "\\" in url:
            raise UrlRefused("a URL holds no blanks, backslashes or unprintable characters")
        try:
            parsed = httpx.URL(url)
            port = parsed.port
        except (httpx.InvalidURL, ValueError, UnicodeError):
            raise UrlRefused("that is no URL such as https://host/path") from None
        scheme, host = parsed.scheme, parsed.raw_host.decode("ascii")
        if scheme not in self.schemes:
            allowed = ", ".join(f"{name}://" for name in sorted(self.schemes))
            raise UrlRefused(f"a URL of the scheme {scheme[:20] or 'none'!r} is not allowed; allowed are {allowed}")
        if port is None:
            port = _PORTS.get(scheme, 0)
        host = _host(host)
        checked = Checked(url, scheme, host, port)
        if not 1 <= port <= 65535:
            raise UrlRefused(f"{scheme}://{host} names no port between 1 and 65535")
        if parsed.userinfo and not credentials:
            raise UrlRefused(f"{checked.shown} must not hold a user or a password")
        return checked

    def check(self, url: str, *, credentials: bool = False) -> tuple[Checked, list[Address]]:
        """The URL and the addresses that may be connected to. Blocks for the name server. Raises UrlRefused."""
        checked = self.form(url, credentials=credentials)
        try:
            return checked, self.addresses(checked.host, checked.port)
        except OSError as error:
            raise UrlRefused(f"{checked.shown}: the host is not known ({error.strerror or error})") from None

    async def check_async(self, url: str, *, credentials: bool = False) -> tuple[Checked, list[Address]]:
        """As :meth:`check`, without blocking."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_RESOLVING, lambda: self.check(url, credentials=credentials))

    def addresses(self, host: str, port: int) -> list[Address]:
        """Addresses of a host, each allowed. Raises UrlRefused when one is not, OSError when there are none."""
        host = _host(host)
        literal = _literal(host)
        found = [literal] if literal is not None else [ip_address(text) for text in self._resolve(host, port)]
        if not found:
            raise OSError(f"{host} has no address")
        for address in found:
            if not self.allowed(address):
                # The address itself stays unsaid: who named the host should not learn what it is here.
                raise UrlRefused(
                    f"{host} is at an address that is private, local or reserved; "
                    "guard.allow_private names the networks that are allowed all the same"
                )
        return list(dict.fromkeys(found))

    async def addresses_async(self, host: str, port: int) -> list[Address]:
        """As :meth:`addresses`, without blocking."""
        return await asyncio.get_running_loop().run_in_executor(_RESOLVING, self.addresses, host, port)

    def allowed(self, address: Address) -> bool:
        """Whether it is public, or in a network that operations allow."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return public(address) or any(address in network for network in self._allow)


def public(address: Address) -> bool:
    """Whether an address is one of the open internet, and so is every address that is wrapped in it."""
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address in _COMPATIBLE or address not in _UNICAST or not address.is_global:
        return False
    wrapped = [address.sixtofour, *(address.teredo or ())]
    return all(public(inner) for inner in wrapped if inner is not None)


def _host(host: str) -> str:
    """A host as name servers know it: lower case, without brackets and the last dot. Raises UrlRefused."""
    plain = host.strip("[]").lower()
    plain = plain.removesuffix(".")
    if not plain or plain.startswith(".") or ".." in plain or "%" in plain:
        raise UrlRefused(f"{host[:253]!r} is no host")
    return plain


def _literal(host: str) -> Address | None:
    """The address that a host is written as, in any spelling that a system takes for one; None for a name."""
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError:
            raise UrlRefused(f"{host[:253]!r} is no host") from None
    if not _NUMBER.match(host.rpartition(".")[2]):
        return None
    try:
        # Decimal, octal, hexadecimal, and fewer than four numbers, as connect() would take them.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        raise UrlRefused(f"{host[:253]!r} is no host") from None
