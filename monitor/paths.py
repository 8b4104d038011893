"""Where laststep keeps its files: the state directory (ledger, bundles, reruns) and the runtime directory (sockets).

Covers owner and mode checks, and the file systems on which sqlite's write-ahead log fails: on NFS, Lustre and their
kin the state goes to a local path, and `state_location` says so. Does not open or create any file inside.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from monitor.model.errors import ExitCode, LaststepError
from trainer_hooks import records

SHARED_FILE_SYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "lustre",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "gpfs",
        "beegfs",
        "ceph",
        "fuse.sshfs",
        "fuse.glusterfs",
        "afs",
    }
)
"""File systems (fourth column of mountinfo's tail, the `type`) whose locks or shared memory sqlite's WAL can't rely on
(https://www.sqlite.org/wal.html, "All processes using a database must be on the same host computer")."""

MOUNTS = Path("/proc/self/mountinfo")


class UnsafeDirectory(LaststepError):
    """A folder of ours that another user owns or could write to."""

    HELP_TEXT = "remove it, or set LASTSTEP_DIR or XDG_STATE_HOME to a folder that only you can write to"


class UnwritableState(LaststepError):
    """The state directory can't be made or written."""

    HELP_TEXT = "set XDG_STATE_HOME to a folder on a local disk that you can write to"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class StateLocation:
    """The state directory, and why it is not the asked one (empty where it is)."""

    directory: Path
    moved_because: str = ""


def file_system_type(path: Path, mounts: Path = MOUNTS) -> str:
    """Type of the file system that holds `path` (`ext4`, `nfs4`, …), from mountinfo; empty where it can't be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    target = os.path.realpath(path)
    best, kind = "", ""
    for line in lines:
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5 or not right.split():
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


def state_location(mounts: Path = MOUNTS) -> StateLocation:
    """The state directory by the environment, or a local one where that lies on a shared file system. Not created."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    asked = Path(base) / "laststep"
    kind = file_system_type(asked, mounts)
    if kind not in SHARED_FILE_SYSTEMS:
        return StateLocation(asked)
    local = Path(tempfile.gettempdir()) / f"laststep-state-{os.getuid()}"
    reason = f"{asked} lies on {kind}, where sqlite's write-ahead log fails; the ledger is kept in {local}"
    return StateLocation(local, reason)


def state_directory() -> Path:
    """The state directory, made if need be: 0700 and ours. Raises `UnsafeDirectory`, `UnwritableState`."""
    return private_directory(state_location().directory)


def ledger_path() -> Path:
    """The ledger's file."""
    return state_directory() / "ledger.sqlite"


def bundles_directory() -> Path:
    """The folder of bundles."""
    return private_directory(state_directory() / "bundles")


def runtime_directory() -> Path:
    """The folder for sockets and event files that hooks and watch find alike, made if need be: 0700 and ours."""
    return private_directory(Path(records.directory()))


def private_directory(path: Path) -> Path:
    """`path` as a folder that only we can read and write, made if need be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(path)
    except OSError as error:
        raise UnwritableState(f"can't make the folder {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{path} is not a folder")
    if found.st_uid != os.getuid():
        raise UnsafeDirectory(f"{path} belongs to uid {found.st_uid}, not to you")
    if found.st_mode & 0o022:
        raise UnsafeDirectory(f"{path} can be written by other users (mode {stat.S_IMODE(found.st_mode):04o})")
    if found.st_mode & 0o055:
        os.chmod(path, 0o700)
    return path
