"""What being watched costs a process: work done per CPU second, read from outside and left alone, in interleaved pairs.

    python -m benchmarks.reader_slowdown [--pairs 30] [--seconds 2] [--every 1.0]

Target and reader are pinned to different cores. The target steps an event loop with a hundred tasks beside plain
arithmetic, for so many seconds a turn; in every second turn its tasks and threads are read each `--every` seconds. Work
is counted by CPU time, so that other programs on the target's core weigh less. Prints JSON: the mean slowdown of the
pairs and its 95 % upper bound (Student's t, one-sided). Needs two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

T_95 = {5: 2.132, 10: 1.833, 20: 1.729, 30: 1.699}
"""One-sided 95 % quantiles of Student's t for so many pairs; the next smaller number of pairs is taken."""
TASKS = 100


async def _turns() -> None:
    """Answers each line on stdin, a number of seconds, with the work per CPU second done in that time."""
    events = [asyncio.Event() for _ in range(TASKS)]
    kept = [asyncio.create_task(event.wait()) for event in events]
    while line := sys.stdin.readline():
        work, total = 0, 0
        began, ends = time.process_time(), time.monotonic() + float(line)
        while time.monotonic() < ends:
            await asyncio.sleep(0)
            total += sum(number * number for number in range(2000))
            work += 1
        print(work / (time.process_time() - began), flush=True)
    for task in kept:
        task.cancel()


def measure(pairs: int, seconds: float, every: float) -> dict[str, Any]:
    """The slowdown over so many pairs."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return {"skipped": "needs two cores"}
    os.sched_setaffinity(0, {cores[1]})
    words = [sys.executable, __file__, "target"]
    target = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(target.pid, {cores[0]})
    try:
        _turn(target, 1.0)
        ratios, readings = [], 0
        for number in range(pairs):
            # Watched first in every second pair, so that a drift of the machine falls on both alike.
            counted: list[int] = []
            first_watched = number % 2 == 0
            rates = {}
            for watched in (first_watched, not first_watched):
                rates[watched] = _watched(target, seconds, every, counted) if watched else _turn(target, seconds)
            ratios.append(rates[False] / rates[True] - 1.0)
            readings += sum(counted)
    finally:
        target.kill()
        target.communicate()
        os.sched_setaffinity(0, set(cores))
    return {**_bound(ratios), "readings": readings, "load_average": round(os.getloadavg()[0], 1)}


def _bound(ratios: list[float]) -> dict[str, Any]:
    mean = statistics.fmean(ratios)
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.inf
    quantile = T_95[max((count for count in T_95 if count <= len(ratios)), default=5)]
    return {
        "pairs": len(ratios),
        "slowdown_percent": round(100 * mean, 3),
        "median_percent": round(100 * statistics.median(ratios), 3),
        "upper_bound_95_percent": round(100 * (mean + quantile * error), 3),
    }


def _turn(target: subprocess.Popen[str], seconds: float) -> float:
    assert target.stdin is not None and target.stdout is not None
    target.stdin.write(f"{seconds}\n")
    target.stdin.flush()
    return float(target.stdout.readline())


def _watched(target: subprocess.Popen[str], seconds: float, every: float, counted: list[int]) -> float:
    over = threading.Event()
    reader = threading.Thread(target=_read, args=(target.pid, every, over, counted.append))
    reader.start()
    try:
        return _turn(target, seconds)
    finally:
        over.set()
        reader.join()


def _read(pid: int, every: float, over: threading.Event, count: Callable[[int], None]) -> None:
    from monitor.inspection.asyncio_reader import read_tasks
    from monitor.inspection.threads import read_threads

    while not over.is_set():
        read_tasks(pid)
        read_threads(pid)
        count(1)
        over.wait(every)


def main() -> int:
    """Exit 0 with the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--every", type=float, default=1.0)
    words = parser.parse_args()
    print(json.dumps(measure(words.pairs, words.seconds, words.every), indent=1))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["target"]:
        asyncio.run(_turns())
    else:
        sys.exit(main())
