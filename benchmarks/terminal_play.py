"""Runs played into a ledger for what measures screens: one that moves each second, one that was paused, one that ended.

Not a benchmark itself. The documents have the form that the watch writes (`monitor.engine.live`); what moves in them is
what moves beside a real run: samples, loads of processes and of eight GPUs, a line of the log a second.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.ledger.store import Ledger
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.run import Progress, RunState, Validation
from tests.tui import examples

PAUSED_SECONDS = 90.0
"""So long ago the paused run moved last."""

LOG_LINES = (
    "(TaskRunner pid=4533) step:{n} - actor/loss:0.0{n} - timing_s/gen:0.9{n} - timing_s/step:2.3{n}",
    "(AgentLoopWorker pid=4702) generated {n} of 256 responses, mean length {n}.5 tokens",
    "(WorkerDict pid=4690) saved shard {n} of the optimizer's state in 0.{n} s",
    "(TaskRunner pid=4533) Training Progress: {n}%|######    | {n}/290 [01:08<00:02,  2.{n}s/it]",
    "(RolloutServer pid=4711) INFO engine: running {n} requests, waiting 0, KV cache {n} % used",
)


def moment(tick: int, now: float) -> dict[str, Any]:
    """The live document of a run that moves: another sample count, other loads, another log line each second."""
    done = (37 * tick) % 256
    state = replace(
        examples.state(),
        started_at=now - 600 - tick,
        phase_since=now - tick % 20,
        progress=Progress(now, f"sample {done} of 256 of the validation at step 29", 4000 + tick),
        validations=(*examples.state().validations[:2], Validation(29, True, now - 20, None, done, 256)),
    )
    rows = [{**row, "cpu_percent": (13.0 * tick + 29.0 * index) % 100} for index, row in enumerate(examples.PROCESSES)]
    tail = [LOG_LINES[line % len(LOG_LINES)].format(n=10 + line % 89) for line in range(tick, tick + 200)]
    gpus = {**examples.gpu_readings(8), "at": now}
    for index, row in enumerate(gpus["value"]):
        row["utilization"] = (17.0 * tick + 11.0 * index) % 100
    return examples.document(
        state,
        at=now,
        gpus=gpus,
        processes=rows,
        log={"path": "/runs/arith/console.log", "tail": tail},
        sources=[{"name": name, "at": now, "unknown": None} for name in ("console", "gpus", "ray", "hooks")],
    )


def paused(since: float, now: float) -> dict[str, Any]:
    """The live document of a run that was stopped (SIGSTOP, a debugger) at `since`: only the watch's clock moves."""
    document = moment(7, since)
    sources = [{**source, "at": now} for source in document["sources"]]
    processes = [{**row, "state": "T", "cpu_percent": 0.0} for row in document["processes"]]
    verdict = {**document["verdict"], "word": VerdictWord.UNKNOWN.value, "reasons": ["the run's processes are stopped"]}
    gpus = {**document["gpus"], "at": now}
    return {**document, "at": now, "sources": sources, "processes": processes, "verdict": verdict, "gpus": gpus}


def ended(now: float) -> dict[str, Any]:
    """The live document of a run that ended an hour ago."""
    state: RunState = replace(examples.state(), phase=None, ended_at=now - 3600, ended_how="finished")
    return examples.document(state, Verdict(VerdictWord.ENDED), at=now - 3600, gpus=None, sources=[])


def play(path: str, pause: Any, stop: Any) -> None:
    """A document a second until told to stop; after `pause` that of a paused run."""
    tick, since = 0, 0.0
    with Ledger.open(Path(path)) as ledger, ledger.claim_watch(examples.RUN):
        ledger.save_run(examples.state())
        for score in examples.scores():
            ledger.add_score(score)
        while not stop.is_set():
            now = time.time()
            if pause.is_set():
                since = since or now - PAUSED_SECONDS
                ledger.write_live(examples.RUN, paused(since, now))
            else:
                ledger.write_live(examples.RUN, moment(tick, now))
            tick += 1
            stop.wait(1.0)


def write_rows(path: Path, rows: int) -> None:
    """Earlier runs with four scores each, so that the Scores screen has `rows` rows or more."""
    with Ledger.open(path) as ledger:
        for number in range(rows // 5 + 1):
            name = f"grpo-arithmetic-2026{number:04d}T075800Z"
            began = examples.NOW - 86400 - number
            ledger.save_run(
                replace(examples.state(), name=name, started_at=began, ended_at=began + 900, ended_how="finished")
            )
            for step in (0, 10, 20, 29):
                ledger.add_score(replace(examples.scores()[0], run=name, step=step, value=step / 100))
