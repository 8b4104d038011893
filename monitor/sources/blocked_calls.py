"""System calls on descriptors in which threads stand, and who is at the other end of that pipe, socket or lock.

From /proc of the same user: `syscall` (needs the right to ptrace), `fd`, `fdinfo`, `locks`. x86-64 and arm64. Reads
only; what can't be read is left out, so that nothing is guessed. Pipes and TCP of this network namespace; unix sockets
have no peer in /proc.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress

from monitor.model.snapshot import BlockedCall
from monitor.sources.sockets import ESTABLISHED, SocketTables

READ, WRITE, OPEN, FILE_LOCK = "read", "write", "open", "file-lock"
_X86_64 = {
    **dict.fromkeys((0, 17, 19, 45, 47), READ),
    **dict.fromkeys((1, 18, 20, 44, 46), WRITE),
    **dict.fromkeys((2, 257), OPEN),
    73: FILE_LOCK,
    72: FILE_LOCK,
}
_ARM64 = {
    **dict.fromkeys((63, 65, 67, 207, 212), READ),
    **dict.fromkeys((64, 66, 68, 206, 211), WRITE),
    56: OPEN,
    32: FILE_LOCK,
    25: FILE_LOCK,
}
_TABLES = {"x86_64": _X86_64, "aarch64": _ARM64}
MOST_THREADS = 64
"""Threads of one process that are looked at."""


def read(pids: Iterable[int]) -> dict[int, tuple[BlockedCall, ...]]:
    """By pid, the calls its threads stand in; pids without any are left out."""
    ours = tuple(dict.fromkeys(pids))
    found = {pid: calls for pid in ours if (calls := _calls(pid))}
    if not found:
        return {}
    ends = _Ends(ours)
    return {
        pid: tuple(
            BlockedCall(thread, call, target, ends.holders(pid, call, target), number)
            for thread, call, target, number in calls
        )
        for pid, calls in found.items()
    }


def _calls(pid: int) -> list[tuple[int, str, str, int | None]]:
    table = _TABLES.get(platform.machine(), {})
    found = []
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/task")[:MOST_THREADS]:
            with suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{pid}/task/{name}/syscall", encoding="ascii") as file:
                    words = file.read().split()
                call = table.get(int(words[0])) if words and words[0] != "running" else None
                if call:
                    descriptor = None if call == OPEN else int(words[1], 16)
                    target = "" if descriptor is None else os.readlink(f"/proc/{pid}/fd/{descriptor}")
                    found.append((int(name), call, target, descriptor))
    return found


class _Ends:
    """Who holds what, read once for one snapshot."""

    def __init__(self, pids: tuple[int, ...]) -> None:
        self._pids = pids
        self._tables = SocketTables()
        self._users: dict[str, list[tuple[int, bool, bool]]] = {}
        for pid in pids:
            with suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/fd"):
                    with suppress(OSError):
                        self._note(pid, name)

    def _note(self, pid: int, name: str) -> None:
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        if target.startswith("/dev/"):
            return
        mode = os.lstat(f"/proc/{pid}/fd/{name}").st_mode
        self._users.setdefault(target, []).append((pid, bool(mode & 0o400), bool(mode & 0o200)))

    def holders(self, pid: int, call: str, target: str) -> tuple[int, ...]:
        """Pids at the other end."""
        if call == FILE_LOCK:
            return tuple(holder for holder in _lock_holders(pid, target) if holder != pid)
        if target.startswith("socket:["):
            return self._peers(pid, int(target[8:-1]))
        wanted = 2 if call == READ else 1
        return tuple(sorted({user[0] for user in self._users.get(target, ()) if user[wanted]}))

    def _peers(self, pid: int, inode: int) -> tuple[int, ...]:
        own = next((socket for socket in self._tables.of(pid) if socket.inode == inode), None)
        if own is None or own.state != ESTABLISHED:
            return ()
        end = (own.remote_ip, own.remote_port, own.local_ip, own.local_port)
        return tuple(
            other
            for other in self._pids
            for socket in self._tables.of(other)
            if (socket.local_ip, socket.local_port, socket.remote_ip, socket.remote_port) == end
        )


def _lock_holders(pid: int, target: str) -> list[int]:
    """Pids of the locks on the same file that `pid` waits for, as /proc/locks lists them."""
    try:
        inode = os.stat(target).st_ino
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    held = [words for words in lines if len(words) > 5 and "->" not in words]
    return [int(words[4]) for words in held if words[5].endswith(f":{inode}") and words[4].isdigit()]
