"""Which addresses the gateway may connect to: endpoints come from strangers, and must not reach into our own network.

Decided on the address that will be connected to, never on a name: a name can mean something else a moment later.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")


def is_base(url: str) -> bool:
    """True for an http(s) URL to whose end a path can be added, so that endpoints can be made of it."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
            and re.fullmatch(r"[!-~]+", url) is not None
            and not set("?#") & set(url)
        )
    except ValueError:
        return False


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """``127.0.0.0/8``, ``::1`` … as values. Raises ValueError that names the one which is none."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def address(host: str) -> Address | None:
    """The address that ``host`` spells out, or None when it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def may_connect(target: Address, exceptions: Iterable[Network] = ()) -> bool:
    """True for an address of the public Internet, and for one that the operator has excepted."""
    inner = _inner(target)
    return is_excepted(inner, exceptions) or _is_public(inner)


def is_excepted(target: Address, exceptions: Iterable[Network]) -> bool:
    """True when the operator has allowed this private address."""
    inner = _inner(target)
    return any(inner.version == network.version and inner in network for network in exceptions)


def _is_public(target: Address) -> bool:
    if isinstance(target, ipaddress.IPv6Address) and (target.is_site_local or target in _NAT64_LOCAL):
        return False
    return target.is_global and not (target.is_multicast or target.is_reserved)


def _inner(target: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for: the packet ends there, whatever the outside looks like."""
    if isinstance(target, ipaddress.IPv4Address):
        return target
    inner = target.ipv4_mapped or target.sixtofour or (target.teredo[1] if target.teredo else None)
    if inner is None and target in _NAT64:
        inner = ipaddress.IPv4Address(int(target) & 0xFFFFFFFF)
    return inner or target
