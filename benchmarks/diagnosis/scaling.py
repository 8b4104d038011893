"""How long merging and judging recorded processes takes: 100, 1,000 and 10,000 of them. Pure, no processes started.

    python -m benchmarks.diagnosis.scaling

The recorded run is the hand-made lost wake-up of the tests, its agent loop workers copied; the verdict has to stay the
same at every size. Prints seconds and the ratio of seconds a process to those of the smallest size.
"""

from __future__ import annotations

import time
from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.snapshot import Snapshot
from tests.detect import snapshots as made

SIZES = (100, 1_000, 10_000)
FIRST_COPY = 1_000


def recorded(size: int) -> list[Snapshot]:
    """Two samples of a hung run with `size` processes."""
    samples = made.lost_wakeup(hooks=True)
    return [_widened(sample, size - len(sample.processes)) for sample in samples]


def _widened(sample: Snapshot, copies: int) -> Snapshot:
    pattern = next(process for process in sample.processes if process.pid == made.AGENT_0)
    actor = next(actor for actor in sample.actors if actor.pid == made.AGENT_0)
    pids = range(FIRST_COPY, FIRST_COPY + copies)
    more = tuple(replace(pattern, pid=pid, actor_id=made.actor_id(pid), label=f"agent (pid {pid})") for pid in pids)
    actors = tuple(replace(actor, pid=pid, actor_id=made.actor_id(pid), name=f"agent_{pid}") for pid in pids)
    return replace(sample, processes=sample.processes + more, actors=sample.actors + actors)


def main() -> None:
    """A row a size."""
    least = 0.0
    print("| processes | seconds | seconds a process, against 100 | verdict |")
    print("|---|---|---|---|")
    for size in SIZES:
        samples = recorded(size)
        began = time.perf_counter()
        verdict = judge(samples)
        seconds = time.perf_counter() - began
        least = least or seconds / size
        found = ", ".join(finding.hang_class for finding in verdict.findings) or verdict.word.value
        print(f"| {size} | {seconds:.2f} | {seconds / size / least:.2f} | {found} |")


if __name__ == "__main__":
    main()
