"""Bundles: everything captured at one alarm, in one folder, complete before anyone kills the job.

A bundle holds the snapshots, the wait-for graph, the verdict, the run's state and configuration, the logs' tails, and
`report.md`. It is made beside its place and renamed, so a folder of that name is whole or is not there. Secrets are
masked before anything is written; what could not be had is listed in the manifest. Schema 1.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from monitor.detect import wait_graph
from monitor.diagnose import bundle_files as files
from monitor.diagnose.errors import BundleDamaged, BundleNotWritten
from monitor.diagnose.masking import masked, masked_text
from monitor.diagnose.report_text import report
from monitor.model.finding import Verdict
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import RunState
from monitor.model.snapshot import RunPosition, Snapshot

T = TypeVar("T")

LOG_TAIL_BYTES = 512 << 10
KEPT_SNAPSHOTS = 8
"""The newest of a stretch: enough for every proof, and a bound on a bundle's size."""


@dataclass(frozen=True)
class Bundle:
    """A bundle as read back."""

    path: Path
    position: RunPosition
    snapshots: tuple[Snapshot, ...]
    verdict: Verdict
    missing: tuple[str, ...]


def write(
    directory: Path,
    run: RunState,
    snapshots: Sequence[Snapshot],
    verdict: Verdict,
    *,
    log_paths: Sequence[str | Path] = (),
) -> Path:
    """Write one bundle into `directory` and return its folder. Raises `BundleNotWritten`."""
    name = _name(run)
    partial = directory / f".{name}.{os.getpid()}.partial"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        _fill(partial, run, tuple(snapshots)[-KEPT_SNAPSHOTS:], verdict, log_paths)
        return _place(partial, directory, name)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise BundleNotWritten(f"no bundle could be written to {directory}: {error.strerror or error}") from error


def read(path: Path) -> Bundle:
    """Read a bundle back, whoever wrote it. Raises `NoBundle`, `BundleDamaged`."""
    files.check_folder(path)
    manifest = files.read_json(path, files.MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("kind") != files.KIND:
        raise BundleDamaged(f"{path} has no manifest of a bundle")
    if manifest.get("schema") != files.SCHEMA:
        raise BundleDamaged(
            f"the bundle {path} has schema {manifest.get('schema')}, this laststep reads {files.SCHEMA}",
            "read it with the version of laststep that wrote it",
        )
    listed = manifest.get("files")
    entries = listed if isinstance(listed, dict) else {}
    snapshots = tuple(_built(Snapshot, path, name, entries) for name in files.snapshot_names(path))
    told = [name for name in entries if name.startswith(f"{files.SNAPSHOTS}/")]
    if len(told) != len(snapshots):
        raise BundleDamaged(f"the bundle {path} has {len(snapshots)} of the {len(told)} snapshots it was written with")
    verdict = _built(Verdict, path, files.VERDICT, entries)
    missing = manifest.get("missing")
    name = manifest.get("run")
    position = snapshots[-1].position if snapshots else RunPosition(name if isinstance(name, str) else "unknown")
    return Bundle(path, position, snapshots, verdict, tuple(map(str, missing if isinstance(missing, list) else ())))


def _built(kind: type[T], path: Path, name: str, entries: dict[str, Any]) -> T:
    try:
        return from_json(kind, files.read_json(path, name, entries))
    except (MalformedRecord, RecursionError) as error:
        raise BundleDamaged(f"{name} of the bundle {path} does not have the form of a {kind.__name__}") from error


def _name(run: RunState) -> str:
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^A-Za-z0-9._+=@-]+", "-", run.name).strip("-.")[:120] or "run"
    return f"{safe}-bundle-{stamp}"


def _place(partial: Path, directory: Path, name: str) -> Path:
    """Rename to the first free name: a bundle never replaces another."""
    for number in range(1, 1000):
        final = directory / (name if number == 1 else f"{name}-{number}")
        if not final.exists():
            partial.rename(final)
            return final
    raise OSError(f"a thousand bundles named {name}")


def _fill(
    folder: Path, run: RunState, snapshots: tuple[Snapshot, ...], verdict: Verdict, log_paths: Sequence[str | Path]
) -> None:
    entries: dict[str, Any] = {}
    missing: list[str] = []
    (folder / files.SNAPSHOTS).mkdir(mode=0o700)
    for number, snapshot in enumerate(snapshots):
        name = f"{files.SNAPSHOTS}/{number:03d}.json"
        entries[name] = files.write_file(folder, name, files.dumps(masked(to_json(snapshot))))
    if snapshots:
        earlier = snapshots[-2] if len(snapshots) > 1 else None
        graph = wait_graph.build(snapshots[-1], earlier)
        document = {**to_json(graph), "stuck": sorted(set(graph.nodes) - graph.moving)}
        entries[files.GRAPH] = files.write_file(folder, files.GRAPH, files.dumps(masked(document)))
    else:
        missing.append("snapshots and the wait-for graph: none was taken")
    entries[files.VERDICT] = files.write_file(folder, files.VERDICT, files.dumps(masked(to_json(verdict))))
    entries[files.RUN] = files.write_file(folder, files.RUN, files.dumps(masked(to_json(run))))
    _logs(folder, log_paths, entries, missing)
    missing.extend(_unread(snapshots))
    position = snapshots[-1].position if snapshots else RunPosition(run.name, run.step, run.total_steps, run.phase)
    text = report(position, verdict, snapshots, missing)
    entries[files.REPORT] = files.write_file(folder, files.REPORT, text.encode("utf-8", "replace"))
    manifest = {
        "schema": files.SCHEMA,
        "kind": files.KIND,
        "run": run.name,
        "written_at": time.time(),
        "files": entries,
        "missing": [masked_text(what) for what in missing],
    }
    files.write_file(folder, files.MANIFEST, files.dumps(manifest))


def _logs(folder: Path, paths: Sequence[str | Path], entries: dict[str, Any], missing: list[str]) -> None:
    """Tails of the logs. One that can't be read is said to be missing."""
    if not paths:
        missing.append("the run's log: where it lies is not known")
    for number, path in enumerate(paths):
        try:
            content = files.read_tail(Path(path), LOG_TAIL_BYTES)
        except OSError as error:
            missing.append(f"the log {path}: {error.strerror or error}")
            continue
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name).strip("-.")[:80] or "log"
        name = f"{files.LOGS}/{number}-{safe}"
        text = masked_text(content.decode("utf-8", "replace"))
        entries[name] = files.write_file(folder, name, text.encode("utf-8", "replace"))


def _unread(snapshots: Sequence[Snapshot]) -> list[str]:
    """What the newest snapshot could not see."""
    if not snapshots:
        return []
    newest = snapshots[-1]
    found = [f"{unknown.what}: {unknown.because}" for unknown in newest.unknown]
    found += [f"process not seen: {name}" for name in newest.unseen]
    found += [f"threads of {item.label}: {item.threads_unknown}" for item in newest.processes if item.threads_unknown]
    return found
