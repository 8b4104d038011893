"""What the dashboard costs in a real terminal beside other terminal programs: paint, bytes, CPU, memory, keys.

    python -m benchmarks.terminal_cost [--seconds 20] [--sizes 24x80,40x120] [--peers FOLDER] [--no-peers]

A writer process plays a run into a ledger of its own (`terminal_play.py`): it moves each second, on eight GPUs, then is
paused, then nobody writes any more, then it has ended. Keys are measured on a ledger with 1,000 rows. CPU is what the
kernel counted for every thread of the program and its children, beside a bare Textual app over the same seconds: other
work on the machine slows both. One JSON line a size and program, then a table with the targets; 1 where one is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks import terminal_peers
from benchmarks.terminal_play import ended, play, write_rows
from monitor.ledger.store import Ledger
from tests.pty.terminal import Terminal
from tests.tui import examples

KEYS = 60
STARTS = 5
ROWS = 1000
SETTLE_SECONDS = 4.0
ANSWER_SECONDS = 5.0
DASHBOARD = "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None))"
STATUS = "import sys; from monitor.cli import main; sys.exit(main(['status', '--json']))"

TARGETS: dict[str, float | dict[int, float]] = {
    "first_line_ms": 50,
    "useful_screen_ms": 1000,
    "live_bytes_per_s": {80: 1200, 120: 2000},
    "live_cpu_percent": 1.0,
    "paused_bytes_per_s": 0,
    "over_bytes_per_s": 0,
    "rss_mb": 80,
    "key_p95_ms": 50,
    "key_bytes_p95": 2000,
    "status_json_ms": 400,
}
"""Largest value that was asked for, by figure, by columns where it depends on them."""


def cpu_seconds(pid: int) -> float:
    """What the kernel counted for every thread of a process and its children, in nanoseconds' resolution."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            for statistics_of in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(statistics_of.read_text().split()[0])
    return total / 1e9


def stretch(terminals: Sequence[Terminal], seconds: float) -> list[dict[str, float]]:
    """Bytes a second and percent of a core of each over the same seconds, in which no key is pressed."""
    before = [(len(each.received), cpu_seconds(each.pid)) for each in terminals]
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for terminal in terminals:
            terminal.pump(0.05)
    took = time.perf_counter() - began
    return [
        {
            "bytes_per_s": round((len(each.received) - bytes_then) / took),
            "cpu_percent": round(100 * (cpu_seconds(each.pid) - cpu_then) / took, 2),
        }
        for each, (bytes_then, cpu_then) in zip(terminals, before)
    ]


def started(command: list[str], shows: str, **named: Any) -> tuple[Terminal, float, float]:
    """The program in a terminal, with the milliseconds to its first byte and until `shows` stands there."""
    began = time.perf_counter()
    terminal = Terminal(command, **named)
    terminal.wait_until(lambda: len(terminal.received) > 0, "said anything")
    first = time.perf_counter() - began
    terminal.wait_for(shows)
    return terminal, 1e3 * first, 1e3 * (time.perf_counter() - began)


def starts(command: list[str], shows: str, **named: Any) -> dict[str, float]:
    """Medians over some starts."""
    firsts, usefuls = [], []
    for _ in range(STARTS):
        terminal, first, useful = started(command, shows, **named)
        with terminal:
            firsts.append(first)
            usefuls.append(useful)
    return {"first_line_ms": round(statistics.median(firsts)), "useful_screen_ms": round(statistics.median(usefuls))}


def memory_mb(pid: int) -> int:
    """Resident memory of a process and its children."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return round(sum(process.memory_info().rss for process in tree) / 2**20)


def answer_times(path: Path, rows: int, columns: int) -> dict[str, float]:
    """From a key to the first byte of its answer, and the bytes of it, on 1,000 rows of scores: nine `j`, one `PgDn`"""
    with Terminal([sys.executable, "-c", DASHBOARD, str(path)], rows=rows, columns=columns) as terminal:
        terminal.wait_for("how far")
        terminal.send("3")
        terminal.wait_for("quantization")
        times: list[float] = []
        sizes: list[int] = []
        pages: list[int] = []
        for index in range(KEYS):
            while terminal.pump(0.1):
                pass
            before, pressed = len(terminal.received), time.perf_counter()
            terminal.send("\x1b[6~" if index % 10 == 9 else "j")
            while len(terminal.received) == before and time.perf_counter() - pressed < ANSWER_SECONDS:
                terminal.pump(0.005)
            times.append((time.perf_counter() - pressed) * 1e3)
            while terminal.pump(0.05):
                pass
            (pages if index % 10 == 9 else sizes).append(len(terminal.received) - before)
    ordered = sorted(times)
    return {
        "key_p50_ms": round(ordered[KEYS // 2], 1),
        "key_p95_ms": round(ordered[int(KEYS * 0.95)], 1),
        "key_bytes": round(statistics.median(sizes)),
        "key_bytes_p95": sorted(sizes)[int(len(sizes) * 0.95)],
        "key_bytes_most": max(sizes),
        "page_bytes_most": max(pages),
    }


def measure(rows: int, columns: int, seconds: float) -> dict[str, Any]:
    """All figures of the dashboard at one size."""
    with tempfile.TemporaryDirectory(prefix="ls") as folder:
        path = Path(folder) / "laststep" / "ledger.sqlite"
        path.parent.mkdir()
        pause, stop = multiprocessing.Event(), multiprocessing.Event()
        writer = multiprocessing.Process(target=play, args=(str(path), pause, stop), daemon=True)
        writer.start()
        while not path.exists():
            time.sleep(0.05)
        time.sleep(1.5)
        command = [sys.executable, "-c", DASHBOARD, str(path)]
        figures: dict[str, Any] = {"program": "laststep", "rows": rows, "columns": columns}
        try:
            figures |= starts(command, "how far", rows=rows, columns=columns)
            figures["status_json_ms"] = status_ms(Path(folder))
            bare = terminal_peers.bare()
            with (
                Terminal(command, rows=rows, columns=columns) as terminal,
                Terminal(bare.command, rows=rows, columns=columns) as beside,
            ):
                terminal.wait_for("how far")
                beside.wait_for(bare.shows)
                figures |= stretches(terminal, beside, path, pause, stop, writer, seconds)
            write_rows(path, ROWS)
            figures |= answer_times(path, rows, columns)
        finally:
            stop.set()
            writer.join()
        return figures


def stretches(
    terminal: Terminal, beside: Terminal, path: Path, pause: Any, stop: Any, writer: Any, seconds: float
) -> dict[str, Any]:
    """A live run, a paused one, a silent watch, an ended run; then the end of the dashboard."""
    figures: dict[str, Any] = {}

    def measured(name: str, settle: float) -> None:
        stretch([terminal, beside], settle)
        own, bare = stretch([terminal, beside], seconds)
        figures.update({f"{name}_{key}": value for key, value in own.items()})
        figures[f"{name}_bare_cpu_percent"] = bare["cpu_percent"]

    measured("live", SETTLE_SECONDS)
    figures["rss_mb"] = memory_mb(terminal.pid)
    pause.set()
    measured("paused", SETTLE_SECONDS)
    stop.set()
    writer.join()
    measured("silent", 12.0)
    with Ledger.open(path) as ledger:
        ledger.write_live(examples.RUN, ended(time.time()))
    measured("over", SETTLE_SECONDS)
    terminal.kill(signal.SIGTERM)
    figures["exit"] = terminal.wait_exit()
    figures["restored"] = terminal.restored()
    return figures


def status_ms(state_home: Path) -> int:
    """Milliseconds of `laststep status --json` on the live run, median of some calls."""
    took = []
    for _ in range(STARTS):
        began = time.perf_counter()
        environment = {**os.environ, "XDG_STATE_HOME": str(state_home)}
        done = subprocess.run([sys.executable, "-c", STATUS], capture_output=True, env=environment, text=True)
        took.append(time.perf_counter() - began)
        assert json.loads(done.stdout)["runs"], done.stderr
    return round(1e3 * statistics.median(took))


def measure_peer(peer: terminal_peers.Peer, rows: int, columns: int, seconds: float) -> dict[str, Any]:
    """What can be asked of a program that isn't ours."""
    figures: dict[str, Any] = {"program": peer.name, "rows": rows, "columns": columns}
    size = {"rows": rows, "columns": columns, "environment": peer.environment}
    figures |= starts(peer.command, peer.shows, **size)
    with Terminal(peer.command, **size) as terminal:
        terminal.wait_for(peer.shows)
        stretch([terminal], SETTLE_SECONDS)
        figures |= {f"live_{key}": value for key, value in stretch([terminal], seconds)[0].items()}
        figures["rss_mb"] = memory_mb(terminal.pid)
    return figures


def missed(figures: dict[str, Any]) -> list[str]:
    """The figures that are over their targets."""
    over = []
    for name, target in TARGETS.items():
        most = target.get(figures["columns"], math.inf) if isinstance(target, dict) else target
        if figures[name] > most:
            over.append(f"{name} {figures[name]} > {most:g}")
    return over


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sizes", default="24x80,40x120")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="keeps the peers' environment in this folder")
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    sizes = [tuple(int(part) for part in size.split("x")) for size in arguments.sizes.split(",")]
    over: list[str] = []
    for rows, columns in sizes:
        figures = measure(rows, columns, arguments.seconds)
        over += [f"{columns}x{rows}: {text}" for text in missed(figures)]
        print(json.dumps({**figures, "load": round(os.getloadavg()[0], 1)}), flush=True)
    if not arguments.no_peers:
        with tempfile.TemporaryDirectory(prefix="lspeers") as folder:
            for peer in terminal_peers.peers(arguments.peers or Path(folder)):
                if isinstance(peer, terminal_peers.Missing):
                    print(json.dumps({"program": peer.name, "not_measured": peer.why}), flush=True)
                    continue
                for rows, columns in sizes:
                    try:
                        print(json.dumps(measure_peer(peer, rows, columns, arguments.seconds)), flush=True)
                    except AssertionError as error:
                        print(json.dumps({"program": peer.name, "not_measured": str(error)[:300]}), flush=True)
                peer.end()
    print("missed: " + ("; ".join(over) or "none"))
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
