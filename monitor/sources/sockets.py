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


class SocketTables:
    """The kernel's TCP tables as they were when first asked for, one a network namespace: for one look at many."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[int, list[str]]] = {}

    def of(self, pid: int) -> tuple[TcpSocket, ...]:
        """The TCP sockets that `pid` holds open. Empty where its descriptors can't be read."""
        return self.with_inodes(pid, socket_inodes(pid))

    def with_inodes(self, pid: int, inodes: frozenset[int]) -> tuple[TcpSocket, ...]:
        """The TCP sockets with these inodes, in the network namespace of `pid`."""
        if not inodes:
            return ()
        table = self._table(pid)
        return tuple(_socket(table[inode]) for inode in sorted(inodes & table.keys()))

    def _table(self, pid: int) -> dict[int, list[str]]:
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/net")
        except OSError:
            namespace = f"of pid {pid}"
        if namespace not in self._tables:
            rows = [row for name in ("tcp", "tcp6") for row in _rows(f"/proc/{pid}/net/{name}")]
            self._tables[namespace] = {int(row[9]): row for row in rows}
        return self._tables[namespace]


def tcp_sockets(pid: int) -> tuple[TcpSocket, ...]:
    """The TCP sockets that one process holds open now. Empty where its descriptors can't be read."""
    return SocketTables().of(pid)


def socket_inodes(pid: int) -> frozenset[int]:
    """Inodes of the sockets that `pid` holds open. Empty where its descriptors can't be read."""
    inodes: set[int] = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    inodes.add(int(target[8:-1]))
    return frozenset(inodes)


def _rows(path: str) -> list[list[str]]:
    """Fields of each socket; decoding an address costs more than all else, so that is left to who wants one."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return []
    rows = (line.split() for line in lines)
    return [row for row in rows if len(row) > 9]


def _socket(row: list[str]) -> TcpSocket:
    return TcpSocket(*_endpoint(row[1]), *_endpoint(row[2]), row[3], int(row[9]))


def _endpoint(text: str) -> tuple[str, int]:
    """`0100007F:1F90` as ("127.0.0.1", 8080): the kernel writes each 32-bit word in host (little-endian) order."""
    address, _, port = text.partition(":")
    raw = bytes.fromhex(address)
    ordered = b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    ip = ipaddress.ip_address(ordered)
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip), int(port, 16)
