"""Addresses of clients: one form for each, and whether one is a proxy's and not a person's."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def address(text: str) -> str:
    """An address in its one short form, since each log writes IPv6 in its own; other text as it is."""
    try:
        return str(ipaddress.ip_address(text.strip("[]").split("%")[0]))
    except ValueError:
        return text


@lru_cache(maxsize=4096)
def is_private(text: str | None) -> bool:
    """Whether an address is private, shared or loopback: a proxy in front, not the client (EDGE-155)."""
    try:
        found = ipaddress.ip_address((text or "").split("%")[0])
    except ValueError:
        return False
    documentation = any(found in network for network in _DOCUMENTATION if network.version == found.version)
    return (found.is_private and not documentation) or found in _SHARED


_DOCUMENTATION = [
    ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "198.18.0.0/15")
]
_SHARED = ipaddress.ip_network("100.64.0.0/10")


def addresses(chain: str | None) -> list[str]:
    """The addresses in an X-Forwarded-For, the one that the last proxy saw at the end."""
    return [address(one) for one in (chain or "").replace(",", " ").split() if one != "-"]


def last_public(client: str | None, chain: str | None) -> str | None:
    """The address from which a request came into the site: the last one of the chain that is no proxy of its own, or the record's."""
    return next((one for one in reversed(addresses(chain)) if not is_private(one)), address(client) if client else None)
