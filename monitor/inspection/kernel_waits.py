"""What the kernel has a thread wait in, from /proc/PID/task/TID: the system call, its deadline, the thread's CPU time.

It tells a sleep from a lock where the stack shows C code only. `/proc/…/syscall` needs the right to ptrace; without it,
nothing is known and nothing is guessed. System call numbers of x86-64 and of arm64.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

LOCK, SLEEP, POLL, READ, WRITE, CHILD = "lock", "sleep", "poll", "read", "write", "child"
RUNNING, OTHER = "running", "other"

FUTEX_PRIVATE = 128
"""FUTEX_PRIVATE_FLAG of linux/futex.h: without it another process may wake the waiter (`multiprocessing.Lock`)."""
NEVER_MILLISECONDS = 0xFFFFFFFF
"""-1 as the kernel shows a 32-bit timeout; poll and epoll_wait never give up."""

_POINTER, _MILLISECONDS = "pointer", "milliseconds"

_X86_64: dict[int, tuple[str, int | None, str]] = {
    202: (LOCK, 3, _POINTER),
    35: (SLEEP, None, ""),
    230: (SLEEP, None, ""),
    7: (POLL, 2, _MILLISECONDS),
    271: (POLL, 2, _POINTER),
    232: (POLL, 3, _MILLISECONDS),
    281: (POLL, 3, _MILLISECONDS),
    441: (POLL, 3, _POINTER),
    23: (POLL, 4, _POINTER),
    270: (POLL, 4, _POINTER),
    **{number: (READ, None, "") for number in (0, 17, 19, 43, 45, 47, 288)},
    **{number: (WRITE, None, "") for number in (1, 18, 20, 44, 46)},
    **{number: (CHILD, None, "") for number in (61, 247)},
}
_ARM64: dict[int, tuple[str, int | None, str]] = {
    98: (LOCK, 3, _POINTER),
    101: (SLEEP, None, ""),
    115: (SLEEP, None, ""),
    73: (POLL, 2, _POINTER),
    22: (POLL, 3, _MILLISECONDS),
    441: (POLL, 3, _POINTER),
    72: (POLL, 4, _POINTER),
    **{number: (READ, None, "") for number in (63, 65, 67, 202, 207, 212, 242)},
    **{number: (WRITE, None, "") for number in (64, 66, 68, 206, 211)},
    **{number: (CHILD, None, "") for number in (95, 260)},
}
_TABLES = {"x86_64": _X86_64, "aarch64": _ARM64}
_SELECTS = {"x86_64": frozenset({23, 270}), "aarch64": frozenset({72})}


@dataclass(frozen=True)
class KernelWait:
    """One thread as the kernel sees it."""

    wait: str = ""
    """`lock`, `sleep`, `poll`, `read`, `write`, `child`, `running`, `other`; empty: not known."""
    ends: bool | None = None
    """The wait has a deadline of its own; None: not known, or the word has no meaning here."""
    cpu_seconds: float | None = None
    lock: str = ""
    """Address of the lock that it waits on, hex: two threads of a process with one address wait on one lock."""


def kernel_wait(pid: int, thread_id: int) -> KernelWait:
    """What `thread_id` of `pid` waits in now."""
    try:
        with open(f"/proc/{pid}/task/{thread_id}/syscall", encoding="ascii") as file:
            told = file.read()
    except OSError:
        told = ""
    return told_wait(pid, thread_id, told)


def told_wait(pid: int, thread_id: int, system_call: str) -> KernelWait:
    """The same, where `/proc/…/syscall` was read by someone else: the process itself may where others may not."""
    try:
        wait, ends = parse(system_call, platform.machine())
    except ValueError:
        wait, ends = "", None
    lock = system_call.split()[1] if wait == LOCK else ""
    return KernelWait(wait, ends, _cpu_seconds(f"/proc/{pid}/task/{thread_id}/stat"), lock)


def parse(text: str, machine: str) -> tuple[str, bool | None]:
    """`/proc/…/syscall` as the kind of wait and whether it ends by itself."""
    words = text.split()
    if not words:
        return "", None
    if words[0] == "running":
        return RUNNING, None
    table = _TABLES.get(machine)
    if table is None:
        return "", None
    number, arguments = int(words[0]), [int(word, 16) for word in words[1:7]]
    if number < 0 or len(arguments) < 6:
        return OTHER, None
    kind, position, form = table.get(number, (OTHER, None, ""))
    if number in _SELECTS[machine] and arguments[0] == 0:
        # select() on nothing is how CPython 3.10 sleeps.
        kind = SLEEP
    if kind == LOCK and not arguments[1] & FUTEX_PRIVATE:
        # Shared between processes: who could free it need not be in this one.
        kind = OTHER
    if kind == SLEEP:
        return kind, True
    if position is None:
        return kind, None
    if form == _POINTER:
        return kind, arguments[position] != 0
    return kind, arguments[position] & NEVER_MILLISECONDS != NEVER_MILLISECONDS


def _cpu_seconds(path: str) -> float | None:
    try:
        with open(path, "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
