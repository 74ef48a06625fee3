"""Which addresses the door opens to (T2)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

# Documentation, benchmarks, relays and every private range. Azure's metadata service answers on an
# address that is otherwise public.
_CLOSED_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Only global unicast is open, which already closes ::1, fc00::/7, fe80::/10, ff00::/8, mapped v4
# (::ffff:0:0/96) and NAT64 (64:ff9b::/96, 64:ff9b:1::/48). Inside it: protocol assignments with
# Teredo, documentation, and 6to4.
_OPEN_V6 = ip_network("2000::/3")
_CLOSED_V6 = tuple(ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether a server on the public internet may have this address (T2). Anything unsure is not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address the system's resolver has for `host`. Raises `OSError` when there is none."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
