"""What a rerun leaves: processes that carry its mark, and its Ray's temporary folder."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.rerun import claims
from monitor.rerun.environment import RERUN_VARIABLE
from monitor.rerun.plan import RerunPlan


def processes_of(plan: RerunPlan) -> list[int]:
    """Live processes that carry the rerun's mark."""
    mark = f"{RERUN_VARIABLE}={plan.out_directory}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def no_process_left(plan: RerunPlan) -> bool:
    """Whether they all ended by themselves; those that end now are waited for."""
    deadline = time.monotonic() + 60
    while processes_of(plan) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not processes_of(plan)


def nothing_left(plan: RerunPlan) -> bool:
    """Neither a process nor Ray's temporary folder."""
    ray_folder = Path((Path(plan.out_directory) / claims.FOLDER_NOTE).read_text())
    return no_process_left(plan) and not ray_folder.exists()
