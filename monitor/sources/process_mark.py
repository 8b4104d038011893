"""One process, told from any other later: after a reboot, on another machine, where its pid was given to another.

A mark is text for the ledger: machine, boot, PID namespace, pid and start time in clock ticks. Covers making one and
asking what became of its process; does not cover processes of other machines, of which nothing can be told from here.
"""

from __future__ import annotations

import os

from trainer_hooks import records


def mark_of(pid: int) -> str | None:
    """The mark of a live process, None where it is gone or can't be seen."""
    try:
        return "/".join([_machine(), _boot(), _namespace(), str(pid), str(records.start_ticks(pid))])
    except (OSError, ValueError, IndexError):
        return None


def is_gone(mark: str) -> bool | None:
    """True where the marked process has ended for sure, False where it lives, None where that can't be told here."""
    try:
        machine, boot, namespace, pid, ticks = mark.split("/")
        if not machine or machine != _machine():
            return None
        if boot != _boot():
            return True
        if namespace != _namespace():
            return None
        return not _alive(int(pid), int(ticks))
    except (OSError, ValueError):
        return None


def _alive(pid: int, ticks: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[19]) == ticks and fields[0] not in (b"Z", b"X")


def _machine() -> str:
    """Empty where the machine has no id: its boots can't be told from another machine's."""
    try:
        return _line("/etc/machine-id")
    except OSError:
        return ""


def _boot() -> str:
    return _line("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    """The PID namespace, in which pids have their meaning."""
    return os.readlink("/proc/self/ns/pid").removeprefix("pid:").strip("[]")


def _line(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.readline().strip().replace("/", "")
