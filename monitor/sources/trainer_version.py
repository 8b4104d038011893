"""Which version of its trainer a process runs, as it lies on disk, and whether the trainer's profile knows it.

Looked for where the process imports from: its PYTHONPATH, its working folder, and the folders of packages that its
mapped libraries lie in. The package's own `version/version` file (verl's) goes before the installer's record, which an
editable installation leaves behind. Nothing is imported. Not known where the process can't be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources import proc
from monitor.sources.ray_processes import process_environ
from monitor.sources.trainer_profile import TrainerProfile

SOURCE = "processes"
MOST_NAMES = 20_000
"""Entries of one folder that are looked at."""
_PACKAGES = re.compile(r".*?/(?:site|dist)-packages(?=/)")


def installed_version(pid: int, package: str) -> tuple[str, str] | None:
    """Version and the file or folder that tells it; None: not found."""
    for folder in _folders(pid):
        own = folder / package / "version" / "version"
        try:
            text = own.read_text(encoding="utf-8")[:100].strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if text:
            return text, str(own)
        record = _record(folder, package)
        if record is not None:
            return record
    return None


def mapped_packages(maps: str) -> list[str]:
    """Folders `site-packages` and `dist-packages` in the text of /proc/PID/maps, in order, each once."""
    found: dict[str, None] = {}
    for line in maps.splitlines():
        fields = line.split(None, 5)
        match = _PACKAGES.match(fields[5]) if len(fields) == 6 else None
        if match is not None:
            found[match.group()] = None
    return list(found)


def unknown_version(version: str, profile: TrainerProfile) -> str:
    """The sentence about a version that the profile doesn't list; empty where it does, or lists none."""
    if not profile.versions or any(version == known or version.startswith(f"{known}.") for known in profile.versions):
        return ""
    return (
        f"{profile.package} {version}: this version is not known (the profile `{profile.name}` was checked with "
        f"{', '.join(profile.versions)}); what is shown was read, and what it prints in other words is not seen"
    )


def version_poll(profile: TrainerProfile, pid: int | None) -> Callable[[float], list[Fact]]:
    """Poller, to be asked once: a notice where the version is one that the profile doesn't know."""

    def poll(now: float) -> list[Fact]:
        found = installed_version(pid, profile.package) if pid and profile.package else None
        text = unknown_version(found[0], profile) if found else ""
        if found is None or not text:
            return []
        return [Fact(FactKind.NOTICE, SOURCE, now, data={"text": text}, evidence=Evidence(text, found[1], None, now))]

    return poll


def _folders(pid: int) -> Iterator[Path]:
    here = proc.working_folder(pid)
    for entry in process_environ(pid).get("PYTHONPATH", "").split(os.pathsep):
        if entry and (here or os.path.isabs(entry)):
            yield Path(here or "/", entry)
    if here:
        yield Path(here)
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    yield from map(Path, mapped_packages(maps))


def _record(folder: Path, package: str) -> tuple[str, str] | None:
    name = re.compile(rf"^{re.escape(package)}-(?P<version>[^-]+)\.(?:dist|egg)-info$", re.IGNORECASE)
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(MOST_NAMES), entries, strict=False):
                match = name.match(entry.name)
                if match is not None:
                    return match["version"], entry.path
    except OSError:
        return None
    return None
