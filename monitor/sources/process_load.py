"""CPU, memory and kernel state of a few processes, read from /proc/PID/stat: the cheap reading of every tick.

Does not read threads, sockets or children: that is `processes.py`, on suspicion only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """One process between two readings."""

    pid: int
    state: str
    """Kernel state letter; `X` where the process is gone."""
    cpu_percent: float | None
    """Percent of one core since the last reading; None at the first."""
    rss_bytes: int


class ProcessLoad:
    """Remembers the last CPU time of each process, so that the next reading gives a rate."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}
        self._tick = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def poll(self, pids: list[int], now: float) -> dict[int, Load]:
        """A reading of each pid."""
        loads = {pid: self._read(pid, now) for pid in pids}
        self._last = {pid: last for pid, last in self._last.items() if pid in loads}
        return loads

    def _read(self, pid: int, now: float) -> Load:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
        except OSError:
            return Load(pid, "X", None, 0)
        seconds = (int(fields[11]) + int(fields[12])) / self._tick
        before = self._last.get(pid)
        self._last[pid] = (now, seconds)
        percent = None
        if before is not None and now > before[0]:
            percent = 100.0 * (seconds - before[1]) / (now - before[0])
        return Load(pid, fields[0].decode(), percent, int(fields[21]) * self._page)
