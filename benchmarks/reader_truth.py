"""How true the reader from outside is: quiet processes by their own word, busy ones by what their names foretell.

    python -m benchmarks.reader_truth [--seconds 20] [--tasks 200] [--rate 10000]

For each Python that is here: of a quiet process, the pending tasks that are read exactly as the hooks describe them
from inside; of a process that switches tasks `--rate` times a second, how many of its tasks were decoded in each
snapshot, and how many came out in a shape that they can't have. Prints one JSON document. Needs no Ray.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.inspection.asyncio_reader import read_tasks
from monitor.inspection.responder import _task
from monitor.model.snapshot import AsyncioTask
from tests.inspection.asyncio_reader.targets import PYTHONS, python, target

LOAD = Path(__file__).with_name("reader_load.py")
KNOWN_DIFFERENCE = "next of"
_SOURCE = LOAD.read_text().splitlines()
DEEPER = 1 + next(i for i, line in enumerate(_SOURCE) if "await hop(depth - 1" in line)
SLEEPS = 1 + next(i for i, line in enumerate(_SOURCE) if "await asyncio.sleep(pause)" in line)
AWAITS = 1 + next(i for i, line in enumerate(_SOURCE) if line.strip() == "await future")
WORKS = 1 + next(i for i, line in enumerate(_SOURCE) if "await hop(depth, turn" in line)


def quiet(interpreter: str) -> dict[str, int]:
    """Tasks told, and how many of them were read exactly so."""
    with target(interpreter, "quiet") as (pid, told):
        reading = read_tasks(pid, timeout=30.0)
    read = {task.key: _sorted(task) for task in reading.tasks or ()}
    truth = [_sorted(_task(task)) for task in told["tasks"] if task["name"] != KNOWN_DIFFERENCE]
    return {"told": len(truth), "equal": sum(read.get(task.key) == task for task in truth)}


def _sorted(task: AsyncioTask) -> AsyncioTask:
    return replace(task, waits_for=tuple(sorted(task.waits_for)))


def plausible(task: AsyncioTask) -> bool:
    """Frames, lines and leaf are such as a task of this name can have."""
    depth = int(task.name.rpartition("-")[2])
    shape = [(frame.function, frame.line) for frame in task.frames]
    stem = [("worker", WORKS), *[("hop", DEEPER)] * depth]
    if task.waits_on == "sleep":
        return shape[:-1] == [*stem, ("hop", SLEEPS)] and shape[-1][0] == "sleep"
    if task.waits_on == "future":
        return shape == [*stem, ("hop", AWAITS)]
    # Its turn has come: it stands where it waited, or executes somewhere in `worker` and `hop`.
    names = [name for name, _ in shape]
    whole = ["worker", *["hop"] * (depth + 1)]
    return task.waits_on == "running" and bool(names) and names[: len(whole)] == whole[: len(names)]


def busy(interpreter: str, tasks: int, rate: float, seconds: float) -> dict[str, Any]:
    """Snapshots of a process that switches tasks all the time."""
    words = [interpreter, str(LOAD), str(tasks), str(rate), str(seconds)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        ends = time.monotonic() + seconds - 1.0
        snapshots = failed = decoded = implausible = torn = 0
        took: list[float] = []
        while time.monotonic() < ends:
            began = time.perf_counter()
            reading = read_tasks(child.pid)
            took.append(time.perf_counter() - began)
            snapshots += 1
            if reading.tasks is None:
                failed += 1
                continue
            workers = [task for task in reading.tasks if task.name.startswith("w-")]
            decoded += len(workers)
            torn += reading.torn
            implausible += sum(not plausible(task) for task in workers)
            time.sleep(0.02)
        switched = float(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()
    return {
        "switches_per_second": round(switched),
        "snapshots": snapshots,
        "failed": failed,
        "decoded": decoded,
        "decoded_percent": round(100 * decoded / max(1, tasks * snapshots), 2),
        "torn": torn,
        "implausible": implausible,
        "implausible_percent": round(100 * implausible / max(1, decoded), 4),
        "median_ms": round(1000 * sorted(took)[len(took) // 2], 1),
    }


def main() -> int:
    """Exit 0 with the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10000.0)
    parser.add_argument("--pythons", default=",".join(PYTHONS))
    words = parser.parse_args()
    results = {}
    for which in words.pythons.split(","):
        interpreter = python(which)
        if interpreter is not None:
            busy_result = busy(interpreter, words.tasks, words.rate, words.seconds)
            results[which] = {"quiet": quiet(interpreter), "busy": busy_result}
    print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
