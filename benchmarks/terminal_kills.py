"""Kills at random moments: dashboards by kill -9, SIGHUP, SIGTERM and closed terminals; the watch by kill -9.

    python -m benchmarks.terminal_kills [--kills 200] [--seed 1]

The run is a played one: a process that writes the ledger as the watch does (claim, live document, scores, spans of
phases), one numbered score a tick, so that a lost or doubled record shows. It stands for the watch that is killed; what
kills of the true watch do to a true run is `tests/end_to_end/test_kills.py`. The job is a process that counts and must
have been disturbed by nothing. One JSON document on stdout; exit 1 where anything was lost or left over.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.terminal_play import moment
from monitor.ledger.store import Ledger
from tests.pty.terminal import Terminal
from tests.tui import examples

DASHBOARD = "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None))"
JOB = "import time\nfor tick in range(10**9):\n    print(tick, flush=True)\n    time.sleep(0.1)"
WAYS = ("dashboard kill -9", "dashboard SIGHUP", "dashboard SIGTERM", "dashboard closed pty", "watch kill -9")
CODES = {"dashboard kill -9": -9, "dashboard SIGHUP": 129, "dashboard SIGTERM": 143, "dashboard closed pty": 129}
SIGNALS = {
    "dashboard kill -9": signal.SIGKILL,
    "dashboard SIGHUP": signal.SIGHUP,
    "dashboard SIGTERM": signal.SIGTERM,
}
LATEST_SECONDS = 1.5
"""A kill comes between the start of the process and this long after it."""


def play(path: str) -> None:
    """The played watch: goes on where the ledger's last score ends, and prints a number once it is committed."""
    with Ledger.open(Path(path)) as ledger, ledger.claim_watch(examples.RUN):
        ledger.save_run(examples.state())
        number = len(ledger.scores(examples.RUN))
        while True:
            ledger.add_score(replace(examples.scores()[0], step=number, value=number / 1e6))
            print(number, flush=True)
            ledger.write_live(examples.RUN, moment(number, time.time()))
            number += 1
            time.sleep(0.05)


class Scene:
    """A folder with a ledger, a job and a played watch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.sqlite"
        self.said = folder / "watch.log"
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "LASTSTEP_DIR": str(folder / "run"),
            "TMPDIR": str(folder),
        }
        with (folder / "job.log").open("wb") as log:
            self.job = subprocess.Popen([sys.executable, "-c", JOB], stdout=log, env=self.environment)
        self.watch = self.start_watch()
        while not self.committed():
            time.sleep(0.05)

    def start_watch(self) -> subprocess.Popen[bytes]:
        """A played watch of its own."""
        words = [sys.executable, "-m", "benchmarks.terminal_kills", "--play", str(self.ledger)]
        with self.said.open("ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, env=self.environment)

    def committed(self) -> list[int]:
        """The numbers that the played watch was told are committed."""
        text = self.said.read_text() if self.said.exists() else ""
        return [int(line) for line in text.splitlines() if line.isdigit()]

    def kill_watch(self, delay: float) -> None:
        """kill -9 after `delay`, and another in its place."""
        time.sleep(delay)
        self.watch.kill()
        self.watch.wait()
        self.watch = self.start_watch()

    def kill_dashboard(self, way: str, delay: float) -> str:
        """One dashboard, killed after `delay`; what was not as it should be, or nothing."""
        with Terminal([sys.executable, "-c", DASHBOARD, str(self.ledger)], environment=self.environment) as terminal:
            until = time.monotonic() + delay
            while time.monotonic() < until:
                terminal.pump(0.02)
            early = b"\x1b[?1049h" not in terminal.received
            if way == "dashboard closed pty":
                terminal.hang_up()
            else:
                terminal.kill(SIGNALS[way])
            code = terminal.wait_exit(30)
            # Before the screen is up, a signal does what it does to any process: there is nothing to restore.
            allowed = {CODES[way], *((-1, -15, 1) if early else ())}
            if code not in allowed:
                return f"{way}: exit {code} {'before' if early else 'after'} the screen was up"
            if way in ("dashboard SIGHUP", "dashboard SIGTERM") and not (
                terminal.restored() and terminal.restored(b"mouse")
            ):
                return f"{way}: the terminal was not restored"
        return ""

    def end(self) -> dict[str, Any]:
        """End job and watch; what the ledger holds against what was committed, and what is left over."""
        job_lived = self.job.poll() is None
        for process in (self.watch, self.job):
            process.kill()
            process.wait()
        counted = [int(line) for line in (self.folder / "job.log").read_text().split()]
        committed = self.committed()
        with Ledger.open(self.ledger) as ledger:
            steps = [score.step for score in ledger.scores(examples.RUN)]
            claimable = False
            with contextlib.suppress(Exception), ledger.claim_watch(examples.RUN):
                claimable = True
        with contextlib.closing(sqlite3.connect(self.ledger)) as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return {
            "job_undisturbed": job_lived and counted == list(range(len(counted))),
            "committed": len(set(committed)),
            "lost": len(set(committed) - set(steps)),
            "doubled": len(steps) - len(set(steps)),
            "integrity": integrity,
            "set_aside": len(list(self.folder.glob("*.corrupt-*"))),
            "claim_free_again": claimable,
            "processes_left": processes_of(self.folder),
            "sockets_left": [str(path) for path in self.folder.rglob("*") if path.is_socket()],
        }


def processes_of(folder: Path) -> list[str]:
    """Command lines of live processes that have this folder in their environment."""
    found = []
    for process in psutil.process_iter(["pid"]):
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(folder):
                found.append(" ".join(process.cmdline())[:120])
    return found


def measure(kills: int, seed: int) -> dict[str, Any]:
    """All kills, in a random order of ways and at random moments."""
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lskills") as folder:
        scene = Scene(Path(folder))
        order = [WAYS[index % len(WAYS)] for index in range(kills)]
        chance.shuffle(order)
        for way in order:
            delay = chance.uniform(0.0, LATEST_SECONDS)
            done[way] += 1
            if way == "watch kill -9":
                scene.kill_watch(delay)
            elif fault := scene.kill_dashboard(way, delay):
                faults.append(fault)
        while scene.committed()[-1:] == [] or scene.watch.poll() is not None:
            time.sleep(0.1)
        outcome = scene.end()
    whole = (
        not faults
        and outcome["job_undisturbed"]
        and outcome["claim_free_again"]
        and outcome["integrity"] == "ok"
        and not any(outcome[key] for key in ("lost", "doubled", "set_aside", "processes_left", "sockets_left"))
    )
    return {"kills": dict(done), "seed": seed, "faults": faults, **outcome, "whole": whole}


def main() -> int:
    """Kill, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--play", metavar="LEDGER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        play(arguments.play)
    began = time.monotonic()
    figures = measure(arguments.kills, arguments.seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - began), "load": os.getloadavg()[0]}, indent=1))
    return 0 if figures["whole"] else 1


if __name__ == "__main__":
    sys.exit(main())
