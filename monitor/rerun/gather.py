"""Gathers the facts that preflight judges: reads files, /proc and the ledger, changes nothing.

A fact that can't be read becomes None or a reason, never a guess.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.rerun import claims, weights_probe
from monitor.rerun.checkpoint_facts import checkpoint_facts
from monitor.rerun.environment_lines import PORTS_NEEDED
from monitor.rerun.facts import DataFacts, PreflightFacts, Resources, Surroundings, WeightsFacts
from monitor.rerun.installed import installed
from monitor.rerun.plan import RerunPlan
from monitor.rerun.recorded_versions import recorded_versions
from monitor.rerun.verl_facts import verl_facts
from monitor.sources.process_mark import is_gone

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

CGROUP = Path("/sys/fs/cgroup")


def gather(plan: RerunPlan, ledger: Ledger) -> PreflightFacts:
    """Every fact the judgements use."""
    checkpoint = checkpoint_facts(plan, ledger)
    weights = weights_probe.probe(plan) if checkpoint.exists else WeightsFacts()
    return PreflightFacts(
        checkpoint=checkpoint,
        weights=weights,
        data=data_facts(Path(plan.validation_file)),
        resources=resources(Path(plan.ledger).parent),
        around=surroundings(plan, ledger),
        verl=verl_facts(plan),
    )


def data_facts(path: Path) -> DataFacts:
    """Hash, rows and age of the validation file."""
    digest, rows, last = hashlib.sha256(), 0, b"\n"
    try:
        with path.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
                rows += block.count(b"\n")
                last = block[-1:]
        modified = path.stat().st_mtime
    except OSError:
        return DataFacts(path.exists())
    counted = rows + (last != b"\n") if path.suffix in (".jsonl", ".json") else None
    return DataFacts(True, digest.hexdigest(), counted, modified)


def resources(state_directory: Path) -> Resources:
    """What the machine has free now, a container's own limit included."""
    total, free = memory()
    writable, error = _writable(state_directory)
    return Resources(
        memory_total=total,
        memory_free=free,
        shared_memory_free=_free(Path("/dev/shm")),
        state_free=_free(state_directory),
        temp_free=_free(Path(claims.FOLDER_PARENT)),
        load=os.getloadavg()[0],
        processors=len(os.sched_getaffinity(0)),
        state_writable=writable,
        state_error=error,
    )


def memory(cgroup: Path = CGROUP) -> tuple[int | None, int | None]:
    """Total and free memory: of the machine, or of the container where that has less."""
    import psutil

    machine = psutil.virtual_memory()
    total, free = int(machine.total), int(machine.available)
    limit, used, inactive = _cgroup_memory(cgroup)
    if limit is not None and used is not None and limit < total:
        return limit, min(free, max(limit - used + inactive, 0))
    return total, free


def _cgroup_memory(cgroup: Path) -> tuple[int | None, int | None, int]:
    """Limit and use of our container (cgroup v2, else v1), and the file cache that the kernel can drop."""
    pairs = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    for limit_name, used_name in pairs:
        try:
            limit = int((cgroup / limit_name).read_text())
            used = int((cgroup / used_name).read_text())
            statistics = (cgroup / used_name).with_name("memory.stat").read_text().split()
        except (OSError, ValueError):
            continue
        named = dict(zip(statistics[::2], statistics[1::2]))
        return limit, used, int(named.get("inactive_file", 0))
    return None, None, 0


def surroundings(plan: RerunPlan, ledger: Ledger) -> Surroundings:
    """Folders, names, locks, and whether the run still lives."""
    return Surroundings(
        out_exists=os.path.lexists(plan.out_directory),
        taken_experiments=tuple(run.name for run in ledger.runs()),
        under_way=claims.under_way(ledger, plan.run, plan.step, plan.recipe_label),
        driver_alive=plan.driver_mark is not None and is_gone(plan.driver_mark) is False,
        recorded_torch=_recorded_torch(plan, ledger),
        recorded_versions=recorded_versions(ledger, plan.run),
        versions=installed(plan.python) if plan.python else None,
        ports_free=ports_free(),
    )


def ports_free(count: int = PORTS_NEEDED) -> int | None:
    """How many of `count` ports of loopback can be had at once; all are given back before this returns."""
    with contextlib.ExitStack() as held:
        for number in range(count):
            try:
                probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            except OSError:
                return None
            try:
                probe.bind(("127.0.0.1", 0))
            except OSError:
                return number
    return count


def _recorded_torch(plan: RerunPlan, ledger: Ledger) -> str | None:
    """The version of torch in the attestations made inside the run itself."""
    for score in reversed(ledger.scores(plan.run)):
        versions: Any = score.provenance.attestation.get("versions")
        if score.provenance.source == "training" and isinstance(versions, dict) and versions.get("torch"):
            return str(versions["torch"])
    return None


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _writable(directory: Path) -> tuple[bool, str]:
    try:
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"0" * 4096)
    except OSError as error:
        return False, f"{directory}: {error.strerror}"
    return True, ""
