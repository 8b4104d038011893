"""Whether the process that holds a claim lives: its pid, and the clock ticks since boot at which it began."""

from __future__ import annotations

from trainer_hooks import records


def start_ticks(pid: int) -> int:
    """When `pid` began; 0 where there is no such process, or a zombie, which holds nothing."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rsplit(b")", 1)[1].split()[0]
        return 0 if state in (b"Z", b"X") else records.start_ticks(pid)
    except OSError:
        return 0


def alive(pid: int, ticks: int) -> bool:
    """True where the very process that began at `ticks` lives."""
    return ticks != 0 and start_ticks(pid) == ticks
