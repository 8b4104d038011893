"""Gathers what is known of a checkpoint folder: shards, marker, hashes, the record of save time, who writes it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.rerun.facts import CheckpointFacts, Manifest
from monitor.rerun.plan import RerunPlan

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

LOOK_AGAIN_SECONDS = 0.3
"""Between two looks at sizes: what grows meanwhile is being written, by whichever machine."""
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR


def checkpoint_facts(plan: RerunPlan, ledger: Ledger) -> CheckpointFacts:
    """The facts of the plan's checkpoint; never raises for what lies on disk."""
    folder = Path(plan.checkpoint)
    earlier = earlier_complete(folder.parent, plan.step)
    if not folder.is_dir():
        return CheckpointFacts(exists=False, earlier=earlier)
    from monitor.sources import checkpoints

    recorded, fingerprint = recorded_manifest(ledger, plan.run, plan.step)
    try:
        before = _sizes(folder)
        state = checkpoints.inspect(folder)
        manifest = as_manifest(checkpoints.manifest(folder))
        time.sleep(LOOK_AGAIN_SECONDS)
        grown = changed(before, _sizes(folder))
    except (OSError, checkpoints.NoCheckpoint) as error:
        return CheckpointFacts(exists=True, earlier=earlier, unreadable=f"the checkpoint can't be read: {error}")
    return CheckpointFacts(
        exists=True,
        complete=state.complete,
        marker_step=state.marker_step,
        missing=tuple(state.missing),
        shards=len(state.shards),
        manifest=manifest,
        recorded=recorded,
        recorded_fingerprint=fingerprint,
        writers=(*grown, *open_for_writing(folder)),
        earlier=earlier,
    )


def as_manifest(document: Mapping[str, Sequence[Any]]) -> Manifest:
    """A manifest as it comes from JSON or from the sources, in one form."""
    return {file: (int(entry[0]), str(entry[1]) if entry[1] else None) for file, entry in document.items()}


def recorded_manifest(ledger: Ledger, run: str, step: int) -> tuple[Manifest | None, str | None]:
    """What the watch recorded when the checkpoint was saved: the manifest and the weights' fingerprint."""
    record = ledger.checkpoint_manifest(run, step)
    if record is None:
        return None, None
    return as_manifest(record.manifest), record.fingerprint


def earlier_complete(directory: Path, step: int) -> tuple[str, ...]:
    """Complete checkpoints of earlier steps, newest first."""
    from monitor.sources import checkpoints

    found = []
    try:
        names = os.listdir(directory)
    except OSError:
        return ()
    for name in names:
        try:
            state = checkpoints.inspect(directory / name)
        except checkpoints.NoCheckpoint:
            continue
        if state.complete and state.step < step:
            found.append((state.step, str(directory / name)))
    return tuple(path for _, path in sorted(found, reverse=True))


def _sizes(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for parent, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(parent, file)
            status = os.stat(path)
            found[os.path.relpath(path, folder)] = (status.st_size, status.st_mtime_ns)
    return found


def changed(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """One phrase a file that came, went, grew or was touched between two looks."""
    names = sorted({*before, *after})
    return tuple(f"{name} changed while it was looked at" for name in names if before.get(name) != after.get(name))


def open_for_writing(folder: Path, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Processes of this machine (those we may look at) that hold a file under `folder` open for writing."""
    inside = os.path.realpath(folder) + os.sep
    found = []
    for entry in os.listdir(proc):
        if not entry.isdigit():
            continue
        try:
            descriptors = os.listdir(proc / entry / "fd")
        except OSError:
            continue
        for descriptor in descriptors:
            target = _target(proc, entry, descriptor)
            if target.startswith(inside) and _writes(proc, entry, descriptor):
                found.append(f"pid {entry} has {target[len(inside) :]} open for writing")
    return tuple(found)


def _target(proc: Path, pid: str, descriptor: str) -> str:
    try:
        return os.readlink(proc / pid / "fd" / descriptor)
    except OSError:
        return ""


def _writes(proc: Path, pid: str, descriptor: str) -> bool:
    try:
        lines = (proc / pid / "fdinfo" / descriptor).read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split()[1] for line in lines if line.startswith("flags:")), "0")
    return bool(int(flags, 8) & WRITE_FLAGS)
