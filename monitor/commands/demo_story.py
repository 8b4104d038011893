"""The demo as a story: start the run and a watch on it, tell what the ledger says as it happens, end both.

Everything told is read from the ledger, as any screen would: nothing is taken from the run itself, nor from what was
ordered. Covers processes and talk; the run is `launch.py`, the verdict the watch's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.demo.launch import DemoRun
from monitor.engine.position import position_of
from monitor.ledger.store import Ledger
from monitor.model.errors import LaststepError
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.json_form import from_json
from monitor.model.run import RunState
from monitor.paths import private_directory, state_directory
from monitor.report.text import position_text
from monitor.report.verdict_json import exit_code, verdict_document
from monitor.watch.start import start_watch

Say = Callable[[str], None]

ATTACH_SECONDS = 90.0
"""So long may Ray, the driver and the watch take to be up on a busy machine."""

POLL_SECONDS = 0.25

DOUBT_SECONDS = 20.0
"""A verdict of `stall` or `unknown` that stands for so long ends the story: a busy machine may be silent for less."""


@dataclass(frozen=True)
class DemoRequest:
    """What was ordered."""

    hang: str | None = None
    steps: int = 29
    seed: int = 1
    order: str = "save-first"
    hooks: bool = True
    chatter: bool = False
    keep: bool = False
    out: Path | None = None


@dataclass(frozen=True)
class LiveDemo:
    """The demo, running and watched."""

    run_name: str
    out: Path
    watch_pid: int
    demo: DemoRun


def start_run(request: DemoRequest) -> DemoRun:
    """The run in a Ray of its own; its folder in the state directory unless one was given."""
    folder = request.out or private_directory(state_directory() / "demo") / time.strftime(
        "%Y%m%dT%H%M%SZ", time.gmtime()
    )
    if request.out is None and folder.exists():
        folder = folder.with_name(f"{folder.name}-{os.getpid()}")
    return DemoRun.start(
        folder,
        steps=request.steps,
        seed=request.seed,
        hang=request.hang,
        order=request.order,
        hooks=request.hooks,
        chatter=request.chatter,
    )


def _say_where(demo: DemoRun, say: Say) -> None:
    say(f"Ray is up at {demo.head.address}, dashboard {demo.head.dashboard_url}; the run's folder is {demo.out}")


def run_unwatched(request: DemoRequest, say: Say) -> int:
    """The run alone, to its end: what a watched one is compared with."""
    demo = start_run(request)
    _say_where(demo, say)
    try:
        code = demo.driver.wait()
    finally:
        demo.stop()
    say(f"laststep: the driver exited with {code}; files in {demo.out}")
    return code


@contextlib.contextmanager
def start_watched(
    request: DemoRequest, say: Say, watch_environment: Mapping[str, str] | None = None
) -> Iterator[LiveDemo]:
    """The run and a detached watch on it; on leaving, both are ended unless `keep` was asked for.

    `watch_environment` is added to the watch's environment, not to the run's.
    """
    demo = start_run(request)
    _say_where(demo, say)
    watch_pid = 0
    keep = False
    try:
        watch_pid = start_watch(
            ["--ray", demo.head.address, "--wait", str(ATTACH_SECONDS), "--quiet"],
            {**demo.head.environment(), **(watch_environment or {})},
        )
        name = _wait_for_name(demo, watch_pid)
        say(f"watching {name} (watch pid {watch_pid})")
        yield LiveDemo(name, demo.out, watch_pid, demo)
        keep = request.keep
    finally:
        if keep:
            say(f"left running: driver {demo.driver.pid}, Ray {demo.head.pid}, watch {watch_pid}")
        else:
            demo.stop()
            _end_watch(watch_pid)


def run_headless(request: DemoRequest, say: Say) -> tuple[int, dict[str, Any]]:
    """Tell the story until the run ended, a hang is proved, or the verdict stays unknown; exit code and document."""
    with start_watched(request, say) as live:
        teller = _Teller(say)
        row = _follow(live, teller)
        verdict = from_json(Verdict, row["verdict"])
        state = from_json(RunState, row["run"])
        document = verdict_document(position_of(state, None), verdict, row.get("bundle"))
    if verdict.word is VerdictWord.HANG:
        say(f"fill the missing score: laststep rerun {live.run_name} --confirm {live.run_name}")
    return int(exit_code(verdict)), document


def _follow(live: LiveDemo, teller: _Teller) -> dict[str, Any]:
    with Ledger.open(read_only=True) as ledger:
        last: dict[str, Any] = {}
        doubtful_since: float | None = None
        while True:
            row = ledger.live(live.run_name)
            if row and row != last:
                last = row
                teller.tell(row)
                doubtful_since = doubtful_since_of(row, doubtful_since)
                if is_over(row, doubtful_since):
                    _let_scores_settle(live)
                    return ledger.live(live.run_name) or row
            if not _alive(live.watch_pid):
                raise LaststepError("the watch ended before the run did", "see watch.log in the state directory")
            time.sleep(POLL_SECONDS)


def doubtful_since_of(row: dict[str, Any], since: float | None) -> float | None:
    """Since when this live row, and those before it, have said `stall` or `unknown` of a run that trains; else None.

    A run that starts waits for its actors and weights: that nothing is known of it yet is no news.
    """
    doubtful = VerdictWord(row["verdict"]["word"]) in (VerdictWord.STALL, VerdictWord.UNKNOWN)
    if not doubtful or not row["run"]["spans"]:
        return None
    return float(row["at"]) if since is None else since


def is_over(row: dict[str, Any], doubtful_since: float | None) -> bool:
    """The run ended, a hang is proved and kept, or doubt has stood for so long that nothing more will come."""
    word = VerdictWord(row["verdict"]["word"])
    if word is VerdictWord.HANG:
        return bool(row.get("bundle"))
    return word is VerdictWord.ENDED or (doubtful_since is not None and row["at"] - doubtful_since >= DOUBT_SECONDS)


def _let_scores_settle(live: LiveDemo) -> None:
    """A run that ended is watched to its watch's own end, so that its last files are in the ledger."""
    deadline = time.monotonic() + 15.0
    while live.demo.driver.poll() is not None and _alive(live.watch_pid) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


class _Teller:
    """Says each thing once."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said: set[str] = set()

    def tell(self, row: dict[str, Any]) -> None:
        """What this row says that no earlier one did."""
        state = from_json(RunState, row["run"])
        for validation in state.validations:
            if validation.value is not None:
                final = " (final)" if validation.final else ""
                self._once(f"step {validation.step}{final}: {validation.metric} {validation.value:.4f}")
        if state.step and state.step % 5 == 0:
            self._once(f"step {state.step}/{state.final_step or '?'}")
        for checkpoint in state.checkpoints:
            if checkpoint.complete:
                self._once(f"checkpoint of step {checkpoint.step} is complete")
        verdict = from_json(Verdict, row["verdict"])
        if verdict.word in (VerdictWord.STALL, VerdictWord.UNKNOWN):
            self._once(f"{verdict.word.value}: {'; '.join(verdict.reasons)}")
        for finding in verdict.findings:
            place = f" at {finding.file}:{finding.line}" if finding.file else ""
            where = position_text(position_of(state, None))
            self._once(f"HANG proved in {where}: {finding.sentence}{place}")

    def _once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


def _wait_for_name(demo: DemoRun, watch_pid: int) -> str:
    deadline = time.monotonic() + ATTACH_SECONDS
    with Ledger.open() as ledger:
        while time.monotonic() < deadline:
            for row in ledger.live_rows():
                if row["watch"]["pid"] == watch_pid and row["run"]["config"]["driver_pid"] == demo.driver.pid:
                    return str(row["run"]["name"])
            if not _alive(watch_pid):
                raise LaststepError("the watch ended before it saw the run", "see watch.log in the state directory")
            time.sleep(POLL_SECONDS)
    raise LaststepError(f"the run did not appear within {ATTACH_SECONDS:.0f} s", f"see {demo.out}/console.log")


def _alive(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0
    except ChildProcessError:
        return False


def _end_watch(pid: int) -> None:
    if not pid or not _alive(pid):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10.0
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    if _alive(pid):
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
