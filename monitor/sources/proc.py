"""Plain facts of processes from /proc: parents, titles, working folder, where stdout goes.

Every function answers None or empty for a process that is gone or another user's; none raises.
"""

from __future__ import annotations

import contextlib
import os
import signal

_WAKING = tuple(signal.Signals[name] for name in ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2", "SIGIO"))
"""Signals that programs use to wake themselves or each other. Those of faults, ends, children and terminals are not
among them: who handles one of these does not wait for it."""


def parents() -> dict[int, int]:
    """pid → parent's pid of every process that can be seen."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if len(fields) > 1:
                table[int(name)] = int(fields[1])
    return table


def descendants(pid: int, table: dict[int, int], without: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Children, their children and so on, in order of pid; `without` cuts whole subtrees."""
    children: dict[int, list[int]] = {}
    for child, parent in table.items():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in without and child not in found:
                found.append(child)
                waiting.append(child)
    return tuple(sorted(found))


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat after the command: state, parent, …; empty where the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].decode("ascii", "replace").split()
    except (OSError, IndexError):
        return []


def signal_handlers(pid: int) -> tuple[str, ...]:
    """Signals that could wake the process and for which it has a handler of its own (SigCgt of its status)."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            caught = next((int(line.split()[1], 16) for line in file if line.startswith("SigCgt:")), 0)
    except (OSError, ValueError, IndexError):
        return ()
    return tuple(number.name for number in _WAKING if caught >> (number - 1) & 1)


def title(pid: int) -> str:
    """The command line as one text; Ray workers and vLLM set it to what they do."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            raw = file.read(1 << 16)
    except OSError:
        return ""
    return " ".join(raw.replace(b"\0", b" ").decode("utf-8", "replace").split())


def command_name(pid: int) -> str:
    """The kernel's name of the process (comm)."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def working_folder(pid: int) -> str | None:
    """Its current folder."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None


def open_files(pid: int) -> tuple[str, ...]:
    """Paths of the regular files that it holds open."""
    found = []
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            if target.startswith("/") and os.path.isfile(target):
                found.append(target)
    except OSError:
        return tuple(found)
    return tuple(found)


def hides_descriptors(pid: int) -> bool:
    """What a live process has open may not be looked at."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
        if names:
            os.readlink(f"/proc/{pid}/fd/{names[0]}")
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def open_devices(pid: int) -> tuple[str, ...]:
    """Paths under /dev that it holds open; empty where that can't be read."""
    found = []
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("/dev/"):
                    found.append(target)
    return tuple(found)


def output_file(pid: int) -> str | None:
    """The regular file that stdout, else stderr, is written to; None for a terminal, a pipe or a deleted file."""
    for descriptor in (1, 2):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue
        if target.startswith("/") and not target.startswith("/dev/") and os.path.isfile(target):
            return target
    return None
