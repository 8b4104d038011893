"""A simulated week of the watch: a million events through its real loop, and its memory on the way.

    python -m benchmarks.watch_week [--events 1000000] [--each 500] [--validation-every 500]

A file of hook events and a console log grow as a run writes them (steps of five phases, validations between them, a
line of the log a step); the real engine reads, folds, judges and stores them tick by tick, on a clock that runs through
a week. Only Ray isn't there: its State API is a fake without calls, and the run's processes stay those they were.
Prints one JSON document: resident memory at eleven moments, CPU a tick and an event, the ledger's size; 1 where memory
after the second tenth grew by more than `GROWTH_MB`. A validation stays in memory for as long as its run is watched.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from monitor import settings
from monitor.engine.engine import Attachment, Engine
from monitor.ledger.store import Ledger
from monitor.model.run import RunConfig
from monitor.sources.hooked_run import NoRayApi
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.run_locator import RunLocation, RunProcess
from monitor.sources.trainer_profile import load_profile
from trainer_hooks import records

WEEK_SECONDS = 7 * 86400.0
GROWTH_MB = 2.0
"""Room for the results of the run: about 11 KB a validation, of which a week has 181 as played here."""
PHASES = ("gen", "reward", "old_log_prob", "update_actor", "update_weights")
VALIDATION_EVERY = 500
"""Steps from one validation to the next, unless another number is asked for."""
BEGAN = 1_800_000_000.0


class PlayedEngine(Engine):
    """The engine where no Ray can be asked for the run's processes anew."""

    def _relocate(self, now: float) -> None:
        del now


class Clock:
    """Simulated wall clock."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now


def events(pace: float, validation_every: int) -> Iterator[dict[str, Any]]:
    """The events of a run, for ever; `pace`: seconds from one to the next, `validation_every`: steps."""
    at, step = BEGAN, 0

    def event(kind: str, phase: str | None, data: dict[str, Any]) -> dict[str, Any]:
        nonlocal at
        at += pace
        return {"schema": 1, "kind": kind, "at": at, "step": step, "phase": phase, "data": data}

    while True:
        step += 1
        for phase in (*PHASES, *(["testing"] if step % validation_every == 0 else [])):
            yield event("phase_begin", phase, {"total": 256} if phase == "testing" else {})
            yield event("phase_end", phase, {"seconds": pace})
            if phase == "testing":
                yield event("score", None, {"metric": "val-core/arithmetic/acc/mean@1", "value": 0.5})
        yield event("step_end", None, {"metrics": {"loss": 0.1}})


def engine_of(folder: Path, ledger: Ledger, clock: Clock) -> Engine:
    """The engine on a run whose only process is this one."""
    process = RunProcess(os.getpid(), "driver", "driver")
    config = RunConfig(experiment="week", trainer="demo", total_steps=10**6, hooks_dir=str(folder / "hooks"))
    log = str(folder / "console.log")
    location = RunLocation("week-1", "01000000", os.getpid(), BEGAN, log, load_profile("demo"), config, (process,))
    cluster = RayCluster("127.0.0.1:1", "", None)
    return PlayedEngine(Attachment(cluster, NoRayApi(), location), ledger, settings.load(), clock)


def resident_mb() -> float:
    """Resident memory of this process, after a collection."""
    gc.collect()
    return round(psutil.Process().memory_info().rss / 2**20, 1)


def measure(count: int, each: int, folder: Path, validation_every: int = VALIDATION_EVERY) -> dict[str, Any]:
    """All events, `each` a tick."""
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    hooks = folder / "hooks"
    hooks.mkdir(mode=0o700)
    stem = records.stem(os.getpid(), records.start_ticks(os.getpid()))
    clock, memory = Clock(), [resident_mb()]
    pace = WEEK_SECONDS / count
    coming = events(pace, validation_every)
    done, cpu, ticks = 0, 0.0, 0
    told = 0
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        engine = engine_of(folder, ledger, clock)
        with (hooks / f"{stem}{records.EVENTS_ENDING}").open("a") as file, (folder / "console.log").open("a") as log:
            while done < count:
                for _ in range(each):
                    event = next(coming)
                    file.write(json.dumps(event) + "\n")
                    if event["kind"] == "step_end":
                        log.write(f"(TaskRunner pid=1) step:{event['step']} - actor/loss:0.01 - timing_s/step:2.3\n")
                file.flush()
                log.flush()
                done += each
                clock.now = BEGAN + done * pace
                began = time.process_time()
                told += len(engine.tick().facts)
                cpu += time.process_time() - began
                ticks += 1
                if done * 10 // count > (done - each) * 10 // count:
                    memory.append(resident_mb())
                    print(f"{done} events, {memory[-1]} MB", file=sys.stderr, flush=True)
        state = engine.state
        engine.close()
        kept = {"spans": len(state.spans), "validations": len(state.validations), "scores": len(ledger.scores())}
    return {
        "events": done,
        "facts": told,
        "ticks": ticks,
        "step": state.step,
        "resident_mb": memory,
        "growth_mb": round(memory[-1] - memory[2], 1),
        "cpu_ms_a_tick": round(1e3 * cpu / ticks, 2),
        "cpu_us_an_event": round(1e6 * cpu / done, 1),
        "in_the_state": kept,
        "ledger_mb": round((folder / "ledger.sqlite").stat().st_size / 2**20, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=500)
    parser.add_argument(
        "--validation-every", type=int, default=VALIDATION_EVERY, help="steps from one validation to the next"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lsweek") as folder:
        figures = measure(arguments.events, arguments.each, Path(folder), arguments.validation_every)
    print(json.dumps(figures, indent=1))
    return int(figures["growth_mb"] > GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
