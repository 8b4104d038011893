"""Facts of this machine for a bundle: kernel, CPUs, memory, limits of the run's cgroup, who may read whom, versions.

What can't be read is left out of the answer and named in `missing`; nothing is guessed. Linux, cgroup v1 and v2.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.model.snapshot import Snapshot

_V1_NO_LIMIT = 1 << 60
"""What v1 shows without a limit is the largest multiple of a page below 2**63."""


@dataclass(frozen=True)
class HostFacts:
    """One machine, as the run's trainer or driver has it. Sizes in bytes; None: not known, or no limit."""

    kernel: str = ""
    machine: str = ""
    cpus: int | None = None
    """CPUs of the machine."""
    usable_cpus: int | None = None
    """CPUs that the process may use (affinity), before the cgroup's quota."""
    cpu_quota: float | None = None
    """CPUs that its cgroup may use; None: no quota, or not known."""
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    memory_limit_bytes: int | None = None
    """The tightest limit of its cgroup and those above; None: none, or not known."""
    oom_kills: int | None = None
    """Processes that the kernel ended in its cgroup for want of memory."""
    ptrace_scope: int | None = None
    """Yama's; None where the kernel has no Yama."""
    python: str = ""
    """Of laststep itself."""
    versions: dict[str, str] = field(default_factory=dict)
    """laststep, py-spy, Ray, as the newest snapshot tells them."""
    missing: tuple[str, ...] = ()


def read(snapshots: Sequence[Snapshot], *, root: Path = Path("/")) -> HostFacts:
    """The facts now. `root`: where /proc and /sys are looked for. Never raises."""
    pid = _pid(snapshots)
    missing: list[str] = []
    memory = _meminfo(_text(root / "proc/meminfo", missing))
    scope = _text(root / "proc/sys/kernel/yama/ptrace_scope", [])
    groups = [*_groups(_text(root / f"proc/{pid}/cgroup", missing), root / "sys/fs/cgroup")]
    return HostFacts(
        kernel=platform.release(),
        machine=platform.machine(),
        cpus=os.cpu_count(),
        usable_cpus=_usable(pid),
        cpu_quota=min((found for group in groups if (found := _quota(group)) is not None), default=None),
        memory_bytes=memory.get("MemTotal"),
        memory_available_bytes=memory.get("MemAvailable"),
        memory_limit_bytes=min((found for group in groups if (found := _limit(group)) is not None), default=None),
        oom_kills=next((found for group in groups if (found := _kills(group)) is not None), None),
        ptrace_scope=int(scope) if scope.strip().isdigit() else None,
        python=sys.version.split()[0],
        versions=dict(snapshots[-1].versions) if snapshots else {},
        missing=tuple(missing),
    )


def _pid(snapshots: Sequence[Snapshot]) -> int:
    """Whose limits count: the trainer's, else the driver's, else our own."""
    processes = snapshots[-1].processes if snapshots else ()
    by_role = {process.role: process.pid for process in processes}
    return by_role.get("trainer") or by_role.get("driver") or os.getpid()


def _usable(pid: int) -> int | None:
    try:
        return len(os.sched_getaffinity(pid))
    except OSError:
        return None


def _text(path: Path, missing: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        missing.append(f"{path}: {getattr(error, 'strerror', None) or error}")
        return ""


def _meminfo(text: str) -> dict[str, int]:
    lines = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) << 10 for words in lines if len(words) > 1 and words[1].isdigit()}


def _groups(text: str, mount: Path) -> tuple[Path, ...]:
    """Folders of a process's cgroups and of those above them, innermost first, by its /proc/PID/cgroup."""
    found: list[Path] = []
    for line in text.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        base = mount if not controllers else mount / controllers
        if controllers not in ("", "memory", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            continue
        folder = base / path.strip("/")
        # In a container the path may be the host's, of which only the mount itself is seen.
        found += [place for place in (folder, *folder.parents) if place == base or base in place.parents]
    return tuple(dict.fromkeys(found))


def _limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        told = _text(group / name, []).strip()
        if told.isdigit() and int(told) < _V1_NO_LIMIT:
            return int(told)
    return None


def _quota(group: Path) -> float | None:
    words = _text(group / "cpu.max", []).split()
    if not words:
        words = [*_text(group / "cpu.cfs_quota_us", []).split(), *_text(group / "cpu.cfs_period_us", []).split()]
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
        return int(words[0]) / int(words[1])
    return None


def _kills(group: Path) -> int | None:
    for name in ("memory.events", "memory.oom_control"):
        for line in _text(group / name, []).splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == "oom_kill" and words[1].isdigit():
                return int(words[1])
    return None
