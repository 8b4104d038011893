"""What the dashboard costs in a real terminal: first paint, idle bytes and CPU, memory, answers to keys.

    python -m benchmarks.terminal_cost [--seconds 15] [--sizes 24x80,40x120]

A writer process plays a live run into a ledger of its own: a live document a second, with samples, ages, loads of
processes and log lines that move, and eight GPUs. Three stretches are measured for each size: the live run; the same
ledger with nothing written any more; and a run that has ended. One JSON line a size on stdout.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from monitor.ledger.store import Ledger
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.run import Progress, RunState, Validation
from tests.pty.terminal import Terminal
from tests.tui import examples

KEYS = 40
DASHBOARD = "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None))"


def moment(tick: int, now: float) -> dict[str, Any]:
    """The live document of a run that moves: another sample count, load and log line each second."""
    done = (37 * tick) % 256
    state = replace(
        examples.state(),
        started_at=now - 600 - tick,
        phase_since=now - tick % 20,
        progress=Progress(now, f"sample {done} of 256 of the validation at step 29", 4000 + tick),
        validations=(*examples.state().validations[:2], Validation(29, True, now - 20, None, done, 256)),
    )
    rows = [{**row, "cpu_percent": (13.0 * tick + 29.0 * index) % 100} for index, row in enumerate(examples.PROCESSES)]
    tail = [f"(TaskRunner pid=4533) line {tick + index} of the run's log" for index in range(200)]
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


def ended(now: float) -> dict[str, Any]:
    """The live document of a run that ended an hour ago."""
    state: RunState = replace(examples.state(), phase=None, ended_at=now - 3600, ended_how="finished")
    return examples.document(state, Verdict(VerdictWord.ENDED), at=now - 3600, gpus=None, sources=[])


def play(path: str, stop: Any) -> None:
    """The writer: a document a second until told to stop."""
    tick = 0
    with Ledger.open(Path(path)) as ledger, ledger.claim_watch(examples.RUN):
        ledger.save_run(examples.state())
        for score in examples.scores():
            ledger.add_score(score)
        while not stop.is_set():
            ledger.write_live(examples.RUN, moment(tick, time.time()))
            tick += 1
            stop.wait(1.0)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.cpu_times().user + process.cpu_times().system for process in tree)


def stretch(terminal: Terminal, seconds: float) -> dict[str, float]:
    """Bytes a second and percent of a core over a stretch in which no key is pressed."""
    before, cpu, began = len(terminal.received), cpu_seconds(terminal.pid), time.perf_counter()
    while time.perf_counter() - began < seconds:
        terminal.pump(0.05)
    took = time.perf_counter() - began
    used = cpu_seconds(terminal.pid) - cpu
    return {
        "bytes_per_s": round((len(terminal.received) - before) / took),
        "cpu_percent": round(100 * used / took, 2),
    }


def answer_times(terminal: Terminal) -> dict[str, float]:
    """From a key to the first byte of its answer, moving the cursor of the scores table."""
    terminal.send("3")
    terminal.wait_for("quantization")
    times, sizes = [], []
    for index in range(KEYS):
        while terminal.pump(0.15):
            pass
        before, pressed = len(terminal.received), time.perf_counter()
        terminal.send("j" if index % 2 == 0 else "k")
        while len(terminal.received) == before and time.perf_counter() - pressed < 2:
            terminal.pump(0.005)
        times.append((time.perf_counter() - pressed) * 1e3)
        terminal.pump(0.03)
        sizes.append(len(terminal.received) - before)
    ordered = sorted(times)
    return {
        "key_p50_ms": round(ordered[KEYS // 2], 1),
        "key_p95_ms": round(ordered[int(KEYS * 0.95)], 1),
        "key_bytes": round(statistics.median(sizes)),
    }


def measure(rows: int, columns: int, seconds: float) -> dict[str, Any]:
    """All figures of one size."""
    with tempfile.TemporaryDirectory(prefix="ls") as folder:
        path = str(Path(folder) / "ledger.sqlite")
        stop = multiprocessing.Event()
        writer = multiprocessing.Process(target=play, args=(path, stop), daemon=True)
        writer.start()
        while not Path(path).exists():
            time.sleep(0.05)
        time.sleep(1.5)
        try:
            return _measured(path, stop, writer, rows, columns, seconds)
        finally:
            stop.set()
            writer.join()


def _measured(path: str, stop: Any, writer: Any, rows: int, columns: int, seconds: float) -> dict[str, Any]:
    began = time.perf_counter()
    with Terminal([sys.executable, "-c", DASHBOARD, path], rows=rows, columns=columns) as terminal:
        terminal.wait_until(lambda: len(terminal.received) > 0, "said anything")
        first_line = time.perf_counter() - began
        terminal.wait_for("how far")
        useful = time.perf_counter() - began
        stretch(terminal, 3.0)
        figures: dict[str, Any] = {"rows": rows, "columns": columns}
        figures["first_line_ms"], figures["useful_screen_ms"] = round(first_line * 1e3), round(useful * 1e3)
        figures["live"] = stretch(terminal, seconds)
        figures.update(answer_times(terminal))
        terminal.send("1")
        stop.set()
        writer.join()
        stretch(terminal, 12.0)
        figures["nothing_written"] = stretch(terminal, seconds)
        with Ledger.open(Path(path)) as ledger:
            ledger.write_live(examples.RUN, ended(time.time()))
        stretch(terminal, 3.0)
        figures["run_over"] = stretch(terminal, seconds)
        figures["rss_mb"] = round(psutil.Process(terminal.pid).memory_info().rss / 2**20)
        terminal.kill(signal.SIGTERM)
        figures["exit"] = terminal.wait_exit()
        figures["restored"] = terminal.restored()
        return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--sizes", default="24x80,40x120")
    arguments = parser.parse_args()
    for size in arguments.sizes.split(","):
        rows, columns = (int(part) for part in size.split("x"))
        print(json.dumps(measure(rows, columns, arguments.seconds)), flush=True)


if __name__ == "__main__":
    main()
