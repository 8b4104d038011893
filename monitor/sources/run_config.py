"""A live run's configuration at the moment it is found: hooks, printed configuration, environment, open files.

What the hooks recorded first, over it what was printed; relative paths from the trainer's working folder, or the
driver's where only that one has them. Intention only. Read once a run: the printed configuration doesn't change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.model.fact import Fact, FactKind
from monitor.model.reading import SourceError
from monitor.sources import proc
from monitor.sources.console import ConsoleSource
from monitor.sources.console_writers import OwnRun
from monitor.sources.hook_files import HookSource
from monitor.sources.printed_config import PATHS, absolute, config_fields, file_log_path, logs_to_file
from monitor.sources.ray_processes import process_environ
from monitor.sources.trainer_profile import TrainerProfile

_READ: dict[tuple[str, str, float], tuple[dict[str, Any], dict[str, Any]]] = {}
"""By log, job and start: fields and printed configuration."""
MOST_READ = 16


@dataclass(frozen=True)
class ConfigPlaces:
    """Where a run's configuration may stand."""

    job_id: str
    started_at: float
    profile: TrainerProfile
    console: Path | None
    hooks_dir: str
    driver_pid: int | None
    trainer_pid: int | None
    pids: tuple[int, ...]


def read_config(places: ConfigPlaces) -> dict[str, Any]:
    """Fields of `RunConfig` that can be known now."""
    key = (str(places.console), places.job_id, places.started_at)
    if key not in _READ:
        fields, printed = _read(places)
        if not printed:
            return fields
        if len(_READ) >= MOST_READ:
            _READ.clear()
        _READ[key] = (fields, printed)
    fields, printed = _READ[key]
    file_log = _file_log(printed, places)
    return {**fields, "file_log": file_log} if file_log else dict(fields)


def _read(places: ConfigPlaces) -> tuple[dict[str, Any], dict[str, Any]]:
    fields: dict[str, Any] = {"trainer": places.profile.name}
    hooks = HookSource(places.hooks_dir, lambda: places.pids, places.profile.checkpoints)
    facts = _quietly(lambda: hooks.poll(time.time()))
    printed: dict[str, Any] | None = None
    if places.console is not None:
        own = OwnRun.of(None, places.driver_pid, places.trainer_pid)
        source = ConsoleSource(places.console, places.profile, own=own)
        facts += _quietly(lambda: source.poll(time.time()))
        source.close()
        printed = source.printed_config
    for fact in facts:
        if fact.kind is FactKind.RUN_CONFIG:
            fields.update(fact.data)
    if printed:
        fields.update(_from_printed(printed, places))
    return fields, printed or {}


def _quietly(poll: Callable[[], list[Fact]]) -> list[Fact]:
    """A log or a hooks' folder that can't be read is the pollers' to report; the run is located without it."""
    try:
        return poll()
    except (SourceError, OSError):
        return []


def _folders(places: ConfigPlaces) -> list[Path]:
    found = [proc.working_folder(pid) for pid in (places.trainer_pid, places.driver_pid) if pid]
    return [Path(folder) for folder in found if folder]


def _from_printed(printed: dict[str, Any], places: ConfigPlaces) -> dict[str, Any]:
    """The printed fields with absolute paths: of several working folders, the one where the path exists."""
    bases: list[Path | None] = [*_folders(places)] or [None]
    candidates = [config_fields(printed, places.profile, base) for base in bases]
    fields = candidates[0]
    for name in PATHS & set(fields):
        paths = [candidate[name] for candidate in candidates if name in candidate]
        fields[name] = next((path for path in paths if os.path.exists(path)), paths[0])
    return fields


def _file_log(printed: dict[str, Any], places: ConfigPlaces) -> str | None:
    """The file logger's file: one the trainer holds open, one that exists, else where the settings put it."""
    if not logs_to_file(printed, places.profile):
        return None
    environ = process_environ(places.driver_pid) if places.driver_pid else {}
    environ = {**environ, **(process_environ(places.trainer_pid) if places.trainer_pid else {})}
    bases = _folders(places)
    if places.console is not None and places.profile.file_log_beside_console:
        bases.insert(0, places.console.parent)
    paths = [path for base in bases if (path := file_log_path(printed, places.profile, environ, base))]
    if not paths:
        return None
    ending = os.path.join(*Path(paths[0]).parts[-2:])
    opened = [path for path in proc.open_files(places.trainer_pid or 0) if path.endswith(ending)]
    return next((path for path in [*opened, *paths] if os.path.exists(path)), absolute(paths[0], Path("/")))
