"""Every file of an inventory read into traces, on two cores where there is much. One bad file loses no other."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from monitor.audit.asked_files import read_config, read_script
from monitor.audit.byte_stream import NotText
from monitor.audit.folders import name_from_path, read_checkpoints, read_dumps
from monitor.audit.inventory import Inventory
from monitor.audit.log_reader import read_log
from monitor.audit.metrics_file import read_metrics_file
from monitor.audit.rules import AuditRules, load_rules
from monitor.audit.tensorboard import read_events
from monitor.audit.trace import Trace
from monitor.audit.wandb_run import read_wandb
from monitor.model.audit import FileProblem

Read = tuple[list[Trace], list[FileProblem]]
Reader = Callable[[Path, AuditRules], Read]

READERS: dict[str, Reader] = {
    "logs": read_log,
    "scripts": read_script,
    "configs": read_config,
    "dumps": read_dumps,
    "file_logs": read_metrics_file,
    "tensorboard": read_events,
    "wandb": read_wandb,
    "checkpoints": read_checkpoints,
}
"""By the names of `Inventory`'s lists."""
MUCH = 16 << 20
"""Bytes above which a second process pays."""
FILES_AT_ONCE = 8


def read_all(inventory: Inventory, workers: int = 2, rules_file: Path | None = None) -> Read:
    """Traces of everything, in the inventory's order, and what could not be read."""
    jobs = [(kind, path) for kind in READERS for path in getattr(inventory, kind)]
    size = sum(_size(path) for _, path in jobs)
    traces: list[Trace] = []
    problems = list(inventory.problems)
    for found, wrong in _results(jobs, workers if size > MUCH else 1, rules_file):
        traces += found
        problems += wrong
    return traces, problems


def _results(jobs: Sequence[tuple[str, Path]], workers: int, rules_file: Path | None) -> Iterator[Read]:
    read = partial(read_one, rules_file=rules_file)
    if workers <= 1 or len(jobs) <= 1:
        yield from map(read, jobs)
        return
    # A fork shares what is imported already, half a second a worker; of a process with threads it may hang.
    context = multiprocessing.get_context("fork" if threading.active_count() == 1 else "spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(read, jobs, chunksize=FILES_AT_ONCE)


def read_one(job: tuple[str, Path], rules_file: Path | None = None) -> Read:
    """One file or folder; what is wrong with it becomes a problem."""
    kind, path = job
    rules = load_rules(rules_file)
    try:
        traces, problems = READERS[kind](path, rules)
    except NotText as error:
        return [], [FileProblem(str(path), str(error), error.HELP_TEXT)]
    except OSError as error:
        return [], [FileProblem(str(path), f"can't be read: {error.strerror or error}")]
    for trace in traces:
        if trace.name is None and trace.source == "console":
            trace.name = name_from_path(path, rules).split(".log")[0]
    return traces, problems


def _size(path: Path) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
