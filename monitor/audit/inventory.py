"""What lies under the paths given: logs, scripts, configurations, dumps, metrics, checkpoints, repositories, prose.

By names and places alone; nothing is opened. Follows links once, so that a cycle ends; a folder or link that can't be
read is said and the rest is found all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.model.audit import FileProblem

SKIPPED_FOLDERS = frozenset({".git", "__pycache__", "node_modules", ".venv", "site-packages", ".mypy_cache"})
MOST_FILES = 1_000_000
_SCRIPT = re.compile(r"\.(?:sh|bash|slurm|sbatch)$")
_LOG = re.compile(
    r"(?:\.(?:log|out|err|txt)|^(?:log|nohup|stdout|stderr)[\w.-]*)(?:\.\d+)?(?:\.(?:gz|zst))?$|\.(?:gz|zst)$"
)
_DUMP = re.compile(r"^\d+\.jsonl$")
_CHECKPOINT = re.compile(r"^global_step_\d+$")
_NOT_LOGS = re.compile(r"\.(?:tar|jsonl|json|csv|parquet|safetensors|pt|bin|md)(?:\.(?:gz|zst))?$|\.tgz$")


@dataclass
class Inventory:
    """Paths by what they look like, each in order."""

    logs: list[Path] = field(default_factory=list)
    scripts: list[Path] = field(default_factory=list)
    configs: list[Path] = field(default_factory=list)
    dumps: list[Path] = field(default_factory=list)
    """Folders that hold `{step}.jsonl`."""
    file_logs: list[Path] = field(default_factory=list)
    tensorboard: list[Path] = field(default_factory=list)
    wandb: list[Path] = field(default_factory=list)
    """`run-*.wandb` files and `wandb-summary.json` files."""
    checkpoints: list[Path] = field(default_factory=list)
    """Folders that hold `global_step_N`."""
    repositories: list[Path] = field(default_factory=list)
    prose: list[Path] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)


def take_inventory(paths: Sequence[Path]) -> Inventory:
    """Everything under the paths; a file that is named is looked at whatever it is called."""
    found = Inventory()
    seen: set[tuple[int, int]] = set()
    for path in paths:
        if not path.exists():
            found.problems.append(FileProblem(str(path), "does not exist", "check the path"))
        elif path.is_dir():
            _walk(path, found, seen)
        elif not _sort_file(path, found):
            found.logs.append(path)
    return found


def _walk(top: Path, found: Inventory, seen: set[tuple[int, int]]) -> None:
    folders = [top]
    files = 0
    while folders:
        folder = folders.pop()
        for entry in _entries(folder, found, seen):
            try:
                is_folder = entry.is_dir()
            except OSError as error:
                found.problems.append(FileProblem(entry.path, f"can't be looked at: {error.strerror}"))
                continue
            path = Path(entry.path)
            if is_folder:
                if _CHECKPOINT.match(entry.name):
                    _once(found.checkpoints, folder)
                elif entry.name == ".git":
                    _once(found.repositories, folder)
                elif entry.name not in SKIPPED_FOLDERS:
                    folders.append(path)
                continue
            files += 1
            if files > MOST_FILES:
                found.problems.append(FileProblem(str(top), f"more than {MOST_FILES} files: the rest was left out"))
                return
            if entry.name == ".git":
                _once(found.repositories, folder)
            elif entry.is_symlink() and not path.exists():
                found.problems.append(FileProblem(entry.path, "is a link to nothing"))
            else:
                _sort_file(path, found)


def _entries(folder: Path, found: Inventory, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    """The folder's entries by name; none where it was seen before (a link that leads back)."""
    try:
        own = os.stat(folder)
        if (own.st_dev, own.st_ino) in seen:
            if folder.resolve() in folder.parent.resolve().parents or folder.resolve() == folder.parent.resolve():
                found.problems.append(FileProblem(str(folder), "is a link that leads back to a folder above it"))
            return
        seen.add((own.st_dev, own.st_ino))
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        cure = "give this user the right to read it"
        found.problems.append(FileProblem(str(folder), f"can't be listed: {error.strerror}", cure))
        return
    yield from listed


def _once(paths: list[Path], path: Path) -> None:
    if path not in paths[-1:]:
        paths.append(path)


def _sort_file(path: Path, found: Inventory) -> bool:
    """Put a file where it belongs; False where its name tells nothing."""
    name = path.name
    if _SCRIPT.search(name):
        found.scripts.append(path)
    elif _DUMP.match(name):
        _once(found.dumps, path.parent)
    elif name.endswith(".jsonl"):
        found.file_logs.append(path)
    elif "tfevents" in name:
        found.tensorboard.append(path)
    elif name.endswith(".wandb") or name == "wandb-summary.json":
        found.wandb.append(path)
    elif name.endswith((".yaml", ".yml")):
        found.configs.append(path)
    elif name.endswith((".md", ".rst")):
        found.prose.append(path)
    elif _LOG.search(name) and not _NOT_LOGS.search(name):
        found.logs.append(path)
    else:
        return False
    return True
