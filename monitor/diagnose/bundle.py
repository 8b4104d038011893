"""Bundles: everything captured at one alarm, in one folder, complete before anyone kills the job.

A bundle holds the snapshots, the wait-for graph, the verdict, the run's state and configuration, the machine's facts,
the logs' tails, and `report.md`. It is made beside its place and renamed, so a folder of that name is whole or is not
there. Secrets are masked before anything is written. Its size is bounded: first the verdict, then the newest snapshots,
the graph, the logs; what could not be had or had no room is listed in the manifest. Schema 1.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from monitor.detect import wait_graph
from monitor.detect.judge import judge
from monitor.diagnose import bundle_files as files
from monitor.diagnose import host_facts
from monitor.diagnose.errors import BundleDamaged, BundleNotWritten
from monitor.diagnose.masking import masked, masked_text
from monitor.diagnose.report_text import report
from monitor.model.finding import Verdict
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import RunState
from monitor.model.snapshot import RunPosition, Snapshot

T = TypeVar("T")

LOG_TAIL_BYTES = 512 << 10
LARGEST_BUNDLE = 256 << 20
"""Bytes of all files together."""
REPORT_BYTES = 1 << 20
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


@dataclass
class _Filling:
    """A folder as it is filled, within the bound."""

    folder: Path
    left: int
    entries: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, name: str, content: bytes, what: str) -> bool:
        """Write a file, or say that there is no room for it."""
        if len(content) > self.left:
            self.missing.append(f"{what}: {len(content)} bytes, no room within the bound of a bundle")
            return False
        self.left -= len(content)
        self.entries[name] = files.write_file(self.folder, name, content)
        return True


def _fill(
    folder: Path, run: RunState, snapshots: tuple[Snapshot, ...], verdict: Verdict, log_paths: Sequence[str | Path]
) -> None:
    filling = _Filling(folder, LARGEST_BUNDLE - 2 * REPORT_BYTES)
    host = host_facts.read(snapshots)
    filling.add(files.VERDICT, files.dumps(masked(to_json(verdict))), "the verdict")
    filling.add(files.RUN, files.dumps(masked(to_json(run))), "the run's state and configuration")
    filling.add(files.HOST, files.dumps(masked(to_json(host))), "the machine's facts")
    _snapshots(filling, snapshots, verdict)
    _logs(filling, log_paths)
    filling.missing.extend((*_unread(snapshots), *host.missing))
    position = snapshots[-1].position if snapshots else RunPosition(run.name, run.step, run.total_steps, run.phase)
    text = report(position, verdict, snapshots, filling.missing, host).encode("utf-8", "replace")
    if len(text) > REPORT_BYTES:
        text = text[:REPORT_BYTES].decode("utf-8", "ignore").encode() + "\n… cut here: the rest is too long\n".encode()
    filling.entries[files.REPORT] = files.write_file(folder, files.REPORT, text)
    manifest = {
        "schema": files.SCHEMA,
        "kind": files.KIND,
        "run": run.name,
        "written_at": time.time(),
        "files": filling.entries,
        "missing": [masked_text(what) for what in filling.missing],
    }
    files.write_file(folder, files.MANIFEST, files.dumps(manifest))


def _snapshots(filling: _Filling, snapshots: tuple[Snapshot, ...], verdict: Verdict) -> None:
    """The newest first, since proofs rest on it and the one before; then the graph of these two."""
    (filling.folder / files.SNAPSHOTS).mkdir(mode=0o700)
    if not snapshots:
        filling.missing.append("snapshots and the wait-for graph: none was taken")
        return
    kept: list[Snapshot] = []
    for number, snapshot in reversed(list(enumerate(snapshots))):
        content = files.dumps(masked(to_json(snapshot)))
        if not filling.add(f"{files.SNAPSHOTS}/{number:03d}.json", content, f"snapshot {number} and those before it"):
            if judge(kept[::-1]) != verdict:
                filling.missing.append("replay of what had room does not give the verdict that is written here")
            break
        kept.append(snapshot)
    graph = wait_graph.build(snapshots[-1], snapshots[-2] if len(snapshots) > 1 else None)
    document = {**to_json(graph), "stuck": sorted(set(graph.nodes) - graph.moving)}
    filling.add(files.GRAPH, files.dumps(masked(document)), "the wait-for graph")


def _logs(filling: _Filling, paths: Sequence[str | Path]) -> None:
    """Tails of the logs. One that can't be read is said to be missing."""
    if not paths:
        filling.missing.append("the run's log: where it lies is not known")
    for number, path in enumerate(paths):
        try:
            content = files.read_tail(Path(path), LOG_TAIL_BYTES)
        except OSError as error:
            filling.missing.append(f"the log {path}: {error.strerror or error}")
            continue
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name).strip("-.")[:80] or "log"
        text = masked_text(content.decode("utf-8", "replace"))
        filling.add(f"{files.LOGS}/{number}-{safe}", text.encode("utf-8", "replace"), f"the log {path}")


def _unread(snapshots: Sequence[Snapshot]) -> list[str]:
    """What the newest snapshot could not see."""
    if not snapshots:
        return []
    newest = snapshots[-1]
    found = [f"{unknown.what}: {unknown.because}" for unknown in newest.unknown]
    found += [f"process not seen: {name}" for name in newest.unseen]
    found += [f"threads of {item.label}: {item.threads_unknown}" for item in newest.processes if item.threads_unknown]
    return found
