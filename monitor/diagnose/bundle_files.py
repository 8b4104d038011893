"""A bundle's files on disk: names, sizes, hashes; reading one that may be hostile.

Only names listed here are ever opened, never a name that a bundle itself gives; links and special files are refused,
sizes are bounded before reading.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from monitor.diagnose.errors import BundleDamaged, NoBundle

SCHEMA = 1
KIND = "laststep-bundle"
MANIFEST, RUN, VERDICT, GRAPH, REPORT = "manifest.json", "run.json", "verdict.json", "graph.json", "report.md"
HOST = "host.json"
SNAPSHOTS, LOGS = "snapshots", "logs"
MOST_SNAPSHOTS = 64
LARGEST_FILE = 256 << 20
_SNAPSHOT_NAME = re.compile(r"\d{3}\.json")


def write_file(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    """Write one file, flushed to disk; its entry in the manifest."""
    path = folder / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(path, "xb", opener=_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def dumps(document: Any) -> bytes:
    """JSON as bundles hold it."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"


def read_tail(path: Path, most: int) -> bytes:
    """The last bytes of a log, from a line's start. Raises OSError; never waits on a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        content = file.read(most)
    if size > most:
        _, _, after = content.partition(b"\n")
        content = after or content
    return content


def check_folder(path: Path) -> None:
    """Raises `NoBundle` where this can't be a bundle's folder."""
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # A path with a NUL: no file can have it.
        raise NoBundle(f"there is no bundle at {path}: {error}") from None
    except OSError as error:
        raise NoBundle(f"there is no bundle at {path}: {error.strerror}") from error
    if not stat.S_ISDIR(mode):
        raise NoBundle(f"{path} is not a bundle's folder")


def read_json(folder: Path, name: str, manifest: dict[str, Any] | None = None) -> Any:
    """One JSON file of a bundle, against its hash in the manifest. Raises `BundleDamaged`."""
    content = _read(folder, name)
    if manifest is not None:
        entry = manifest.get(name)
        told = entry.get("sha256") if isinstance(entry, dict) else None
        if told != hashlib.sha256(content).hexdigest():
            raise BundleDamaged(f"{name} of the bundle {folder} is not as it was written")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleDamaged(f"{name} of the bundle {folder} is not JSON") from error


def snapshot_names(folder: Path) -> list[str]:
    """The snapshots of a bundle, oldest first. Raises `BundleDamaged`."""
    inner = folder / SNAPSHOTS
    try:
        if not stat.S_ISDIR(os.lstat(inner).st_mode):
            raise BundleDamaged(f"{inner} is not a folder")
        names = sorted(name for name in os.listdir(inner) if _SNAPSHOT_NAME.fullmatch(name))
    except OSError as error:
        raise BundleDamaged(f"the bundle {folder} has no snapshots: {error.strerror}") from error
    if len(names) > MOST_SNAPSHOTS:
        raise BundleDamaged(f"the bundle {folder} has {len(names)} snapshots, more than {MOST_SNAPSHOTS}")
    return [f"{SNAPSHOTS}/{name}" for name in names]


def _read(folder: Path, name: str) -> bytes:
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        because = "a link" if error.errno == errno.ELOOP else error.strerror
        raise BundleDamaged(f"{name} of the bundle {folder} can't be read: {because}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BundleDamaged(f"{name} of the bundle {folder} is not a regular file")
        if found.st_size > LARGEST_FILE:
            raise BundleDamaged(f"{name} of the bundle {folder} is larger than {LARGEST_FILE >> 20} MiB")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_FILE)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
