"""A run without Ray (TRL's), found by what its hooks recorded: the process that trains, its ranks, their children.

Of this machine and this user only. Reads the beginning of each living process's event file; what follows in it is the
pollers' to read. A trainer is one of these where its profile says `without_ray`. A process counts as one run: a second
training in it goes on under the first one's name.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.model.fact import FactKind
from monitor.model.snapshot import RayActor, RayCall, RayGroup
from monitor.sources import proc
from monitor.sources.hook_files import HookSource
from monitor.sources.process_mark import mark_of
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_processes import process_environ
from monitor.sources.ray_records import RayNode
from monitor.sources.run_locator import RunLocation, run_config, run_name
from monitor.sources.run_processes import RunProcess, add_children
from monitor.sources.trainer_profile import TrainerProfile, load_profile, profile_names
from trainer_hooks import records

NO_RAY = RayCluster("", "", None)
"""Stands where a run in Ray has its cluster."""
BEGINNING = 256 << 10
"""Bytes of an event file in which the configuration stands, if the process trains."""
RANK, PLACE = "RANK", ("MASTER_ADDR", "MASTER_PORT")
"""What torchrun and accelerate tell each process of one training."""


@dataclass
class NoRayApi:
    """Answers for a run that no Ray knows of: nothing is there, which is not unknown."""

    notes: dict[str, str] = field(default_factory=dict)

    def calls(self) -> tuple[RayCall, ...]:
        """None."""
        return ()

    def actors(self) -> tuple[RayActor, ...]:
        """None."""
        return ()

    def nodes(self) -> tuple[RayNode, ...]:
        """None."""
        return ()

    def groups(self) -> tuple[RayGroup, ...]:
        """None."""
        return ()

    def version(self) -> str:
        """None: the empty word."""
        return ""


def hooked_runs(directory: str | None = None, log: Path | None = None) -> tuple[RunLocation, ...]:
    """Every run without Ray that lives here, the newest first. Raises `UnsafeHooks`."""
    folder = directory or records.hooks_directory()
    profiles = [profile for profile in map(load_profile, profile_names()) if profile.without_ray]
    found = []
    for pid in _recorded(folder):
        first = _first_configuration(Path(folder), pid)
        for profile in profiles:
            if profile.name == first.get("trainer") and (location := _location(folder, pid, profile, log)) is not None:
                found.append(location)
    return tuple(sorted(found, key=lambda location: -location.started_at))


def _recorded(folder: str) -> Iterator[int]:
    """Living processes with an event file of their own (a pid that was given anew has another start)."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        pid, _, start = name.removesuffix(records.EVENTS_ENDING).partition("-")
        if not (name.endswith(records.EVENTS_ENDING) and pid.isdigit() and start.isdigit()):
            continue
        try:
            if records.start_ticks(int(pid)) == int(start):
                yield int(pid)
        except (OSError, ValueError, IndexError):
            continue


def _first_configuration(folder: Path, pid: int) -> dict[str, Any]:
    """The data of the first configuration that the process recorded; empty where it recorded none."""
    path = folder / (records.stem(pid, records.start_ticks(pid)) + records.EVENTS_ENDING)
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except OSError:
        return {}
    for line in beginning.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("kind") == FactKind.RUN_CONFIG.value:
            return dict(record.get("data") or {})
    return {}


def _location(folder: str, pid: int, profile: TrainerProfile, log: Path | None) -> RunLocation | None:
    """None where its training is over: the process does something else now."""
    facts = HookSource(folder, lambda: [pid], profile.checkpoints).poll(time.time())
    configurations = [fact for fact in facts if fact.kind is FactKind.RUN_CONFIG]
    ends = [fact.at for fact in facts if fact.kind is FactKind.RUN_END]
    if not configurations or (ends and ends[-1] >= configurations[-1].at):
        return None
    fields: dict[str, Any] = {}
    for fact in configurations:
        fields = {**fact.data, **fields}
    started_at = float(fields.get("started_at") or configurations[0].at)
    output = proc.output_file(pid)
    console = str(log) if log else output
    fields.update(
        trainer=profile.name,
        driver_pid=pid,
        driver_mark=mark_of(pid),
        host=socket.gethostname(),
        started_at=started_at,
        hooks_dir=folder,
        console_log=console,
    )
    name = run_name(str(fields.get("experiment") or profile.name), started_at)
    processes = processes_of(pid, profile)
    return RunLocation(name, "", pid, started_at, console, profile, run_config(fields), processes)


def processes_of(pid: int | None, profile: TrainerProfile) -> tuple[RunProcess, ...]:
    """The process that records, the other ranks of its training, and what they started."""
    if pid is None:
        return ()
    found = {pid: RunProcess(pid, "trainer", f"{profile.name} trainer (pid {pid})")}
    table = proc.parents()
    own = process_environ(pid)
    if own.get(RANK):
        for other, parent in table.items():
            if other == pid or parent != table.get(pid):
                continue
            environ = process_environ(other)
            if environ.get(RANK) and all(environ.get(name) == own.get(name) for name in PLACE):
                found[other] = RunProcess(other, "train-worker", f"rank {environ[RANK]} (pid {other})")
    add_children(found, profile, table, frozenset())
    return tuple(found.values())
