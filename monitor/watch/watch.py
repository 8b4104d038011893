"""The watch's loop: one engine, one tick a second, until the run has ended or a signal asks it to go.

Covers claims (one watch a run), signals, what is printed and told. Does not cover what a tick does: `monitor.engine`.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from monitor.engine.engine import Attachment, Engine
from monitor.ledger.store import Ledger
from monitor.model.errors import ExitCode
from monitor.report.verdict_json import exit_code, finding_document, verdict_document
from monitor.settings import Settings
from monitor.watch.attach import attach_patiently
from monitor.watch.lines import Said, lines_of, standing_lines
from monitor.watch.on_finding import FindingCommand

LAST_WORDS_SECONDS = 3.0
"""After the driver is gone the files it wrote last are read for so long."""


@dataclass(frozen=True)
class WatchOptions:
    """What `laststep watch` was asked."""

    address: str | None = None
    run_directory: Path | None = None
    log: Path | None = None
    patience_seconds: float = 0.0
    forever: bool = False
    quiet: bool = False
    on_finding: str | None = None
    below: int | None = None
    """Only a run whose driver descends from this process."""


class Watch:
    """The watchdog process."""

    def __init__(self, options: WatchOptions, settings: Settings, ledger: Ledger) -> None:
        self._options = options
        self._settings = settings
        self._ledger = ledger
        self._stop = threading.Event()
        self._signal = 0
        self._command: FindingCommand | None = None
        if options.on_finding:
            self._command = FindingCommand(options.on_finding, settings.on_finding_deadline_seconds)

    def run(self) -> int:
        """Watch until the run has ended; with `forever`, the next one too. The exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        code = int(ExitCode.OK)
        while not self._stop.is_set():
            patience = float("inf") if self._options.forever else self._options.patience_seconds
            attached = attach_patiently(
                self._settings,
                self._options.address,
                self._options.run_directory,
                self._options.log,
                patience_seconds=patience,
                stopped=self._stop.is_set,
                sleep=self._wait,
                below=self._options.below,
            )
            if attached is None:
                break
            code = self._watch_one(attached)
            if not self._options.forever:
                break
        if self._command:
            self._command.finish()
        return 128 + self._signal if self._signal else code

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        self._stop.set()

    def _watch_one(self, attached: Attachment) -> int:
        name = attached.location.name
        with self._ledger.claim_watch(name):
            self._say(f"watching {name} {attached.place}")
            engine = Engine(attached, self._ledger, self._settings)
            try:
                self._loop(engine)
            finally:
                engine.close()
        return int(exit_code(engine.alarm.verdict))

    def _loop(self, engine: Engine) -> None:
        gone_at: float | None = None
        said, verdict = Said(), engine.alarm.verdict
        while not self._stop.is_set():
            began = time.monotonic()
            tick = engine.tick()
            if not self._options.quiet:
                for line in lines_of(tick, said):
                    self._say(line)
                for line in standing_lines(engine.alarm.verdict, verdict):
                    self._say(line)
            verdict = engine.alarm.verdict
            self._tell(engine, tick.raised, "new")
            self._tell(engine, tick.withdrawn, "withdrawn")
            if tick.state.ended_at is not None:
                gone_at = gone_at or time.monotonic()
                if time.monotonic() - gone_at >= LAST_WORDS_SECONDS:
                    return
            self._stop.wait(max(0.05, self._settings.tick_seconds - (time.monotonic() - began)))

    def _tell(self, engine: Engine, findings: tuple[Any, ...], event: str) -> None:
        if self._command is None:
            return
        for finding in findings:
            document = verdict_document(engine.position, engine.alarm.verdict, engine.bundle)
            self._command.tell({**document, "event": event, "finding": finding_document(finding)})

    def _say(self, line: str) -> None:
        print(line, file=sys.stdout, flush=True)
