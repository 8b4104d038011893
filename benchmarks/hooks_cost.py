"""What the hooks cost a training process: one JSON document on stdout.

Covers `event()`, `add()` (mapped and copied counters), a wrapped call, a wrapped phase, an answer of the responder with
many tasks, and the CPU time of the idle responder thread. `python -m benchmarks.hooks_cost`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPEATS = 7


def microseconds(call: Callable[[], object], times: int) -> dict[str, float]:
    """Median and worst of some rounds, per call, by the clock; the CPU's median, which other work blurs less."""
    rounds, cpu = [], []
    for _ in range(REPEATS):
        began, used = time.perf_counter(), time.thread_time()
        for _ in range(times):
            call()
        rounds.append((time.perf_counter() - began) / times * 1e6)
        cpu.append((time.thread_time() - used) / times * 1e6)
    return {
        "median": round(statistics.median(rounds), 3),
        "worst_round": round(max(rounds), 3),
        "cpu": round(statistics.median(cpu), 3),
    }


def nothing() -> None:
    """What gets wrapped."""


@contextlib.contextmanager
def timer(name: str) -> Iterator[None]:
    """A trainer's timer."""
    yield


def measure() -> dict[str, object]:
    """Every figure."""
    from trainer_hooks import counters, install, recorder
    from trainer_hooks.frameworks import rollout, training, wrapping

    install.driver()
    mine = recorder.get()
    copied = counters.Counters(os.getpid())
    sample = wrapping.observed(nothing, wrapping._nothing, rollout.after_sample)
    phase = wrapping.observed_context(timer, training.before_phase, training.after_phase)

    def one_phase() -> None:
        with phase("gen"):
            pass

    figures: dict[str, object] = {
        "unit": "microseconds",
        "event": microseconds(lambda: mine.event("phase_begin", step=29, phase="testing", total=256), 3000),
        "add": microseconds(lambda: mine.add("validation_samples:29"), 50000),
        "add_to_copied_counters": microseconds(lambda: copied.add("validation_samples:29"), 50000),
        "wrapped_sample": microseconds(sample, 20000),
        "wrapped_phase_with_its_two_events": microseconds(one_phase, 2000),
        "responder_idle_cpu_percent": idle_percent(),
        "answer": asyncio.run(answers()),
        "python": sys.version.split()[0],
        "counters_mapped": mine._counters.mapped,
        "errors": mine.errors,
    }
    return figures


def idle_percent(seconds: float = 5.0) -> float:
    """CPU of this process while only the responder thread lives."""
    before = time.process_time()
    time.sleep(seconds)
    return round((time.process_time() - before) / seconds * 100, 4)


async def answers() -> dict[str, float]:
    """Milliseconds of one snapshot, by the number of pending tasks."""
    from trainer_hooks import responder

    event = asyncio.Event()

    async def wait(depth: int) -> None:
        await (wait(depth - 1) if depth else event.wait())

    figures = {}
    tasks: list[asyncio.Task[None]] = []
    for count in (10, 100, 1000):
        tasks += [asyncio.create_task(wait(4)) for _ in range(count - len(tasks))]
        await asyncio.sleep(0)
        took = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            json.dumps(responder.snapshot())
            took.append((time.perf_counter() - began) * 1e3)
        figures[f"milliseconds_with_{count}_tasks"] = round(statistics.median(took), 3)
    event.set()
    await asyncio.gather(*tasks)
    return figures


def main() -> None:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="ls") as folder:
        os.environ["LASTSTEP_DIR"] = str(Path(folder) / "run")
        print(json.dumps(measure(), indent=2))


if __name__ == "__main__":
    main()
