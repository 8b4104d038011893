"""Checkpoint folders: which shards are there, whole or cut, and whether the marker names them.

verl's layout: `global_step_N` with `actor/` (and `critic/`), in them
`{model,optim,extra_state}_world_size_W_rank_R.pt`; beside the folders the marker `latest_checkpointed_iteration.txt`,
written last. Reads a shard's zip directory, never its tensors. Of another trainer's layout (`CheckpointPatterns`) only
the file that is written last is asked for.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.reading import SourceError
from monitor.sources.trainer_profile import CheckpointPatterns

SOURCE = "checkpoint"
MARKER = "latest_checkpointed_iteration.txt"
VERL = CheckpointPatterns()
FOLDER = re.compile(VERL.folder)
SHARD = re.compile(r"^(?P<kind>model|optim|extra_state)_world_size_(?P<world>\d+)_rank_(?P<rank>\d+)\.pt$")
MOST_RANKS = 65_536
LEGACY_PICKLE = b"\x80"
"""First byte of torch's format before 1.6, which has no directory to check."""


class NoCheckpoint(SourceError):
    """A checkpoint folder that isn't there or can't be listed."""

    HELP_TEXT = "name another step with `--step N`; `laststep scores` lists the checkpoints of a run"


@dataclass(frozen=True)
class CheckpointState:
    """One checkpoint folder."""

    step: int
    complete: bool
    """All shards there and whole, and the marker names this step or a later one; in another trainer's layout: the file
    written last is there."""
    shards: tuple[str, ...]
    """Shards that are there and whole, relative paths."""
    missing: tuple[str, ...]
    """What is missing or damaged, each as `path (why)`."""
    bytes: int
    marker_step: int | None
    modified_at: float | None = None


def inspect(path: Path, layout: CheckpointPatterns = VERL) -> CheckpointState:
    """The state of one checkpoint's folder. Raises `NoCheckpoint`."""
    match = re.match(layout.folder, path.name)
    if match is None:
        name = "global_step_N" if layout.folder == VERL.folder else f"as {layout.folder}"
        raise NoCheckpoint(f"{path} is not a folder named {name}")
    step = int(match["step"])
    try:
        files = sorted(_files(path))
    except OSError as error:
        raise NoCheckpoint(f"{path} can't be read: {error.strerror}") from error
    if layout.last_file:
        return _by_last_file(step, files, layout.last_file)
    sizes = {relative: found.st_size for relative, found in files}
    shards = {relative: SHARD.match(os.path.basename(relative)) for relative in sizes}
    damaged = {
        relative: reason
        for relative, match in shards.items()
        if match is not None and (reason := _damage(path / relative, sizes[relative]))
    }
    missing = [*_absent({name: match for name, match in shards.items() if match is not None}, set(sizes))]
    missing += [f"{relative} ({reason})" for relative, reason in sorted(damaged.items())]
    marker = marker_step(path.parent)
    return CheckpointState(
        step,
        not missing and marker is not None and marker >= step,
        tuple(name for name, match in shards.items() if match is not None and name not in damaged),
        tuple(missing),
        sum(sizes.values()),
        marker,
        max((found.st_mtime for _, found in files), default=None),
    )


def _by_last_file(step: int, files: list[tuple[str, os.stat_result]], last_file: str) -> CheckpointState:
    """The state of a folder that is whole once `last_file` is there."""
    sizes = {relative: found.st_size for relative, found in files}
    whole = sizes.get(last_file, 0) > 0
    why = "empty" if last_file in sizes else "absent"
    return CheckpointState(
        step,
        whole,
        (),
        () if whole else (f"{last_file} ({why})",),
        sum(sizes.values()),
        None,
        max((found.st_mtime for _, found in files), default=None),
    )


def marker_step(directory: Path) -> int | None:
    """The step that the marker names, None where there is none or it holds no number."""
    try:
        return int((directory / MARKER).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None


def manifest(path: Path, hash_limit: int | None = None) -> dict[str, list[object]]:
    """Relative path → [size, sha256]; a file larger than `hash_limit` bytes has an empty hash."""
    table: dict[str, list[object]] = {}
    try:
        for relative, found in sorted(_files(path)):
            hashed = hash_limit is None or found.st_size <= hash_limit
            table[relative] = [found.st_size, _sha256(path / relative) if hashed else ""]
    except OSError as error:
        raise NoCheckpoint(f"{path} can't be read: {error.strerror}") from error
    return table


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    os.stat(path)
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            try:
                yield os.path.relpath(full, path), os.stat(full)
            except FileNotFoundError:
                continue


def _absent(shards: dict[str, re.Match[str]], names: set[str]) -> Iterator[str]:
    """Ranks that each kind of shard lacks; a model without any shard lacks the first."""
    groups: dict[tuple[str, str, int], set[int]] = {}
    for relative, match in shards.items():
        group = (os.path.dirname(relative), match["kind"], int(match["world"]))
        groups.setdefault(group, set()).add(int(match["rank"]))
    for (folder, kind, world), ranks in sorted(groups.items()):
        for rank in range(min(world, MOST_RANKS)):
            if rank not in ranks:
                yield f"{os.path.join(folder, f'{kind}_world_size_{world}_rank_{rank}.pt')} (absent)"
    has_model = any(kind == "model" for _, kind, _ in groups)
    if not has_model and not any("/dist_ckpt/" in f"/{name}" and name.endswith(".metadata") for name in names):
        yield "actor/model_world_size_*_rank_0.pt (absent)"


def _damage(path: Path, size: int) -> str:
    """Why a shard is not whole; empty where it is, or where its format can't tell."""
    if size == 0:
        return "empty"
    try:
        with open(path, "rb") as file:
            if file.read(1) == LEGACY_PICKLE:
                return ""
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                last = max((info.header_offset + info.compress_size for info in archive.infolist()), default=0)
    except zipfile.BadZipFile:
        return "cut, or still being written"
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return "" if last <= size else "cut"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class CheckpointSource:
    """Poller of a folder of checkpoints: a fact whenever one grew, became complete or was damaged."""

    def __init__(self, directory: Path, layout: CheckpointPatterns = VERL) -> None:
        self._directory = directory
        self._layout = layout
        self._listed: dict[int, tuple[int, float | None, int | None]] = {}
        self._told: dict[int, tuple[int, bool]] = {}

    def poll(self, now: float) -> list[Fact]:
        """Facts of the checkpoints that changed since the last call."""
        facts = []
        marker = marker_step(self._directory)
        for step, path in self._folders():
            fact = self._check(step, path, marker, now)
            if fact is not None:
                facts.append(fact)
        return facts

    def _folders(self) -> list[tuple[int, Path]]:
        try:
            with os.scandir(self._directory) as entries:
                folder = re.compile(self._layout.folder)
                found = [(folder.match(entry.name), Path(entry.path)) for entry in entries if entry.is_dir()]
        except FileNotFoundError:
            return []
        return sorted((int(match["step"]), path) for match, path in found if match is not None)

    def _check(self, step: int, path: Path, marker: int | None, now: float) -> Fact | None:
        try:
            files = list(_files(path))
        except OSError:
            return None
        size = sum(found.st_size for _, found in files)
        modified_at = max((found.st_mtime for _, found in files), default=None)
        listed = (size, modified_at, marker)
        if self._listed.get(step) == listed:
            return None
        self._listed[step] = listed
        try:
            state = inspect(path, self._layout)
        except NoCheckpoint:
            return None
        if self._told.get(step) == (state.bytes, state.complete):
            return None
        self._told[step] = (state.bytes, state.complete)
        at = min(now, modified_at or now)
        missing = f", without {state.missing[0]}" if state.missing else ""
        what = f"{'complete' if state.complete else 'incomplete'}, {state.bytes} bytes{missing}"
        data = {"path": str(path), "complete": state.complete, "bytes": state.bytes, "missing": list(state.missing)}
        return Fact(FactKind.CHECKPOINT, SOURCE, at, step, None, data, Evidence(what, str(path), None, at))
