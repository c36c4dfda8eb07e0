"""Runs in an install container with a network: says what of it leads further than to the neighbour with the index.

Usage: neighbour_check.py [ADDRESS ...]

ADDRESS: where the host would be on this network. Prints a line for each way out; nothing where there is none. Standard
library only. A connection is tried to these addresses alone, which lie on the sandbox's own network.
"""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path

COMPLETE = 2  # ATF_COM in arp(7)
PORT = 9  # "discard": nothing serves it, and a host that is there says so by refusing


def table(path: str) -> list[list[str]]:
    """Rows of a file below /proc/net; none where the kernel does not have it."""
    try:
        return [line.split() for line in Path(path).read_text().splitlines()]
    except OSError:
        return []


def answers(address: str) -> bool:
    """True if anything is there: it answers within a second, a refusal too, or has at least told its hardware address.

    The last is for a firewall that drops what comes to this port, and perhaps not to others.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(1.0)
        if attempt.connect_ex((address, PORT)) in (0, errno.ECONNREFUSED):
            return True
    known = {row[0]: int(row[2], 16) for row in table("/proc/net/arp")[1:]}
    return bool(known.get(address, 0) & COMPLETE)


def next_hops() -> list[str]:
    """Where default routes lead. An engine may set one to an address that nobody has."""
    found = [row[2] for row in table("/proc/net/route")[1:] if row[1] == "00000000"]
    return [socket.inet_ntoa(bytes.fromhex(each)[::-1]) for each in found]


def ways_out(addresses: list[str]) -> list[str]:
    """Everything that should not be there."""
    found: list[str] = []
    if any(row[-1] != "lo" for row in table("/proc/net/if_inet6")):
        found.append("IPv6 addresses")
    return found + [f"the host at {each}" for each in dict.fromkeys([*addresses, *next_hops()]) if answers(each)]


if __name__ == "__main__":
    for way in ways_out(sys.argv[1:]):
        print(way)  # noqa: T201 - the answer
