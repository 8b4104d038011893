"""TCP sockets of a process, from /proc: who listens where, and who is connected to whom.

Covers IPv4 and IPv6 in the network namespace of the process. Unix sockets and UDP are left out: no peer to name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from dataclasses import dataclass

ESTABLISHED = "01"
LISTEN = "0A"


@dataclass(frozen=True)
class TcpSocket:
    """One TCP socket. `state` is the kernel's hexadecimal code."""

    local_ip: str
    local_port: int
    remote_ip: str
    remote_port: int
    state: str
    inode: int


def tcp_sockets(pid: int) -> tuple[TcpSocket, ...]:
    """The TCP sockets that `pid` holds open. Empty where its descriptors can't be read."""
    return sockets_of(pid, _socket_inodes(pid))


def sockets_of(pid: int, inodes: frozenset[int]) -> tuple[TcpSocket, ...]:
    """The TCP sockets with these inodes, in the network namespace of `pid`."""
    if not inodes:
        return ()
    found: list[TcpSocket] = []
    for table in ("tcp", "tcp6"):
        found += [socket for socket in _table(f"/proc/{pid}/net/{table}") if socket.inode in inodes]
    return tuple(found)


def _socket_inodes(pid: int) -> frozenset[int]:
    inodes: set[int] = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    inodes.add(int(target[8:-1]))
    return frozenset(inodes)


def _table(path: str) -> list[TcpSocket]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return []
    rows = []
    for line in lines:
        fields = line.split()
        if len(fields) > 9:
            local, remote = _endpoint(fields[1]), _endpoint(fields[2])
            rows.append(TcpSocket(*local, *remote, fields[3], int(fields[9])))
    return rows


def _endpoint(text: str) -> tuple[str, int]:
    """`0100007F:1F90` as ("127.0.0.1", 8080): the kernel writes each 32-bit word in host (little-endian) order."""
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    ordered = b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    ip = ipaddress.ip_address(ordered)
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip), int(port, 16)
