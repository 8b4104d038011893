"""Who may read whose memory: what stands in the way of one reader and one target, and what would change that.

Pure functions over facts, and the reading of those facts from /proc. The rules are the kernel's for
`process_vm_readv` (`__ptrace_may_access` in kernel/ptrace.c, security/commoncap.c, security/yama): the same uids or
CAP_SYS_PTRACE; a dumpable target; no capability that the reader lacks; then Yama's scope. `laststep doctor` says them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

SYS_PTRACE = 1 << 19
HOOKS = "or train with the hooks in: their responder tells of threads, ObjectRefs, asyncio tasks and connections"
GIVE_CAPABILITY = "start the container with CAP_SYS_PTRACE (`--cap-add SYS_PTRACE`; Kubernetes: capabilities.add)"
YAMA_CURE = "`sudo sysctl kernel.yama.ptrace_scope=0`, or `laststep run --readable` (its help says what that opens)"

MEMORY_CURE = (
    "another uid, Yama's ptrace_scope, a container without SYS_PTRACE or the process itself (PR_SET_DUMPABLE) forbids "
    f"it; {YAMA_CURE}, or CAP_SYS_PTRACE allows it, {HOOKS}"
)
"""Where a reader was refused and the reason is not looked into."""


@dataclass(frozen=True)
class ReaderFacts:
    """This process."""

    uid: int
    """Effective."""
    effective: int = 0
    """Capabilities in force (CapEff), a bit each."""
    bounding: int = SYS_PTRACE
    """Capabilities that it, or what it starts, could ever have (CapBnd): a container's are fewer."""
    yama: int | None = None
    """Yama's ptrace_scope; None: no Yama in this kernel."""

    @property
    def may_trace(self) -> bool:
        """CAP_SYS_PTRACE is in force."""
        return bool(self.effective & SYS_PTRACE)


@dataclass(frozen=True)
class TargetFacts:
    """The process that is to be read."""

    pid: int
    uids: tuple[int, ...]
    """Real, effective and saved."""
    dumpable: bool = True
    permitted: int = 0
    """Its capabilities (CapPrm)."""
    descendant: bool = False
    """It descends from the reader."""


@dataclass(frozen=True)
class Obstacle:
    """One thing that forbids it, and what would change that."""

    what: str
    cure: str


@dataclass(frozen=True)
class Status:
    """The lines of /proc/PID/status that matter here."""

    uids: tuple[int, ...] = ()
    capabilities: dict[str, int] = field(default_factory=dict)
    """`CapEff`, `CapPrm`, `CapBnd`."""


def obstacles(reader: ReaderFacts, target: TargetFacts) -> tuple[Obstacle, ...]:
    """What forbids `reader` to read `target`; empty: nothing that is known."""
    found = []
    if set(target.uids) != {reader.uid}:
        others = ", ".join(str(uid) for uid in sorted(set(target.uids) - {reader.uid}))
        # CAP_SYS_PTRACE would allow the reading, but not to run that user's interpreter as oneself.
        found.append(Obstacle(f"it belongs to uid {others}, not to uid {reader.uid}", "run laststep as that user"))
    if reader.may_trace and reader.yama != 3:
        return tuple(found)
    if not target.dumpable:
        found.append(
            Obstacle("it made itself unreadable (PR_SET_DUMPABLE 0, or a set-uid program)", _capability(reader))
        )
    if target.permitted & ~reader.effective and not reader.may_trace:
        found.append(Obstacle("it holds capabilities that laststep lacks", _capability(reader)))
    if reader.yama is not None and _forbids(reader.yama, target.descendant):
        found.append(_yama(reader))
    return tuple(found)


def in_general(reader: ReaderFacts) -> tuple[Obstacle, ...]:
    """What forbids `reader` to read the ordinary processes of its own uid that it did not start."""
    return obstacles(reader, TargetFacts(0, (reader.uid,)))


def _forbids(scope: int, descendant: bool) -> bool:
    return scope >= 2 or (scope == 1 and not descendant)


def _yama(reader: ReaderFacts) -> Obstacle:
    who = {1: "only descendants can be read", 2: "only CAP_SYS_PTRACE may read", 3: "nobody may read, root neither"}
    what = f"Yama ptrace_scope is {reader.yama}: {who.get(reader.yama or 0, 'not known to laststep')}"
    if reader.yama == 3:
        return Obstacle(what, f"a reboot with another kernel.yama.ptrace_scope (3 can't be lowered), {HOOKS}")
    cure = f"{YAMA_CURE}, " if reader.yama == 1 else ""
    return Obstacle(what, f"{cure}{_capability(reader)}")


def _capability(reader: ReaderFacts) -> str:
    if not reader.bounding & SYS_PTRACE:
        return f"{GIVE_CAPABILITY}, which this one has not, even for root; {HOOKS}"
    return f"CAP_SYS_PTRACE (root has it here), {HOOKS}"


def parse_status(text: str) -> Status:
    """Of /proc/PID/status; what is not there, or not understood, is left out."""
    uids: tuple[int, ...] = ()
    capabilities = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if name == "Uid" and len(words) >= 3 and all(word.isdigit() for word in words[:3]):
            uids = tuple(map(int, words[:3]))
        elif name in ("CapEff", "CapPrm", "CapBnd") and words:
            try:
                capabilities[name] = int(words[0], 16)
            except ValueError:
                continue
    return Status(uids, capabilities)


def reader_facts(root: Path = Path("/")) -> ReaderFacts:
    """Of this process. `root`: where /proc is looked for."""
    status = parse_status(_text(root / "proc/self/status"))
    scope = _text(root / "proc/sys/kernel/yama/ptrace_scope").strip()
    uid = status.uids[1] if status.uids else os.geteuid()
    own = status.capabilities
    return ReaderFacts(
        uid, own.get("CapEff", 0), own.get("CapBnd", SYS_PTRACE), int(scope) if scope.isdigit() else None
    )


def target_facts(pid: int, *, descendant: bool = False, root: Path = Path("/")) -> TargetFacts | None:
    """Of another process; None where it is gone or /proc hides it."""
    folder = root / f"proc/{pid}"
    status = parse_status(_text(folder / "status"))
    try:
        owner = (folder / "status").stat().st_uid
    except OSError:
        return None
    if not status.uids:
        return None
    # The kernel gives the files of an undumpable process in /proc to root (task_dump_owner in fs/proc/base.c).
    dumpable = owner == status.uids[1] or owner != 0
    return TargetFacts(pid, status.uids, dumpable, status.capabilities.get("CapPrm", 0), descendant)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
