"""Which interpreter a process runs: its executable, the mapped file that holds `_PyRuntime`, and whose it is.

From /proc alone. A process whose interpreter can't be told, or can't be run safely, raises `NotReadable`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from monitor.inspection.asyncio_reader.errors import NotReadable

NO_PERMISSION = "reading its memory is not permitted"
_PYTHON = re.compile(r"(^|/)(lib)?python3?[^/]*$")


@dataclass(frozen=True)
class Identity:
    """A build: the files it consists of, by device, inode, size and time of change."""

    executable: tuple[int, ...]
    library: tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """One process."""

    pid: int
    executable: str
    """A path that runs this very file: its own, or /proc/PID/exe where that names another file here."""
    library: str
    """The mapped libpython, empty for a static build."""
    identity: Identity
    bases: dict[tuple[str, int], int]
    """Lowest address of each mapped file, by device and inode."""
    start_ticks: int
    start_stack: int = 0
    """Where its stack begins: an exec of the same interpreter keeps pid, start time and file, but not this."""


def describe(pid: int) -> Target:
    """The interpreter of `pid`."""
    link = f"/proc/{pid}/exe"
    try:
        started, stack = _start(pid)
        owner = os.stat(f"/proc/{pid}").st_uid
        status = os.stat(link)
        path = os.readlink(link)
        bases, libraries = _maps(pid)
    except PermissionError as error:
        raise NotReadable(NO_PERMISSION) from error
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError) as error:
        raise NotReadable("it is gone") from error
    except OSError as error:
        raise NotReadable(f"/proc tells nothing of it: {error.strerror}") from error
    if owner != os.geteuid():
        # Its interpreter would have to be run as ourselves.
        raise NotReadable(f"it belongs to uid {owner}: run laststep as that user")
    library = libraries[0] if libraries else ""
    if not library and not _PYTHON.search(path.removesuffix(" (deleted)")):
        raise NotReadable("no Python interpreter was found in it")
    identity = Identity(_identity(status), _identity_of(library) if library else ())
    return Target(pid, _runnable(path, link, status), library, identity, bases, started, stack)


def _runnable(path: str, link: str, status: os.stat_result) -> str:
    try:
        return path if os.path.samestat(os.stat(path), status) else link
    except OSError:
        return link


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _identity_of(path: str) -> tuple[int, ...]:
    try:
        return _identity(os.stat(path))
    except OSError:
        return ()


def _maps(pid: int) -> tuple[dict[tuple[str, int], int], list[str]]:
    bases: dict[tuple[str, int], int] = {}
    libraries: list[str] = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            words = line.split(maxsplit=5)
            if len(words) < 6 or words[4] == "0":
                continue
            bases.setdefault((words[3], int(words[4])), int(words[0].partition("-")[0], 16))
            path = words[5].rstrip("\n")
            if os.path.basename(path).startswith("libpython3") and path not in libraries:
                libraries.append(path)
    return bases, libraries


def _start(pid: int) -> tuple[int, int]:
    """When the process began, in ticks since boot, and where its stack begins."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rsplit(b")", 1)[1].split()
    return int(fields[19]), int(fields[25])


def is_same(target: Target) -> bool:
    """The pid still is the process that was described, in the same program."""
    try:
        status = os.stat(f"/proc/{target.pid}/exe")
        started = _start(target.pid) == (target.start_ticks, target.start_stack)
        return started and _identity(status) == target.identity.executable
    except (OSError, ValueError, IndexError):
        return False
