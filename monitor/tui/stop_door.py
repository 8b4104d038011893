"""The door to stopping a hung run: what would end, and ending it, by calls of `laststep stop` as own processes.

A stop that began goes on when the dashboard ends. The dashboard knows this shape only; tests have a fake.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Protocol

from monitor.model.errors import LaststepError
from monitor.report.clean_text import clean

COMMAND = (sys.executable, "-c", "import sys; from monitor.cli import main; sys.exit(main())")
PLAN_SECONDS, STOP_SECONDS = 120.0, 300.0


class StopFailed(LaststepError):
    """No plan could be made, or processes live on."""

    HELP_TEXT = "`laststep stop RUN --dry-run` in a terminal says more"


@dataclass(frozen=True)
class PlannedStop:
    """What would end, and the words that confirm it: one phrase, or two where weights are lost."""

    run: str
    lines: tuple[str, ...]
    phrases: tuple[str, ...]


class StopDoor(Protocol):
    """What the dashboard needs of stopping. Both raise `LaststepError`."""

    def plan(self, run: str) -> PlannedStop:
        """What would be stopped of `run`; stops nothing."""

    def stop(self, planned: PlannedStop) -> str:
        """Stop it, its phrases typed; how it ended, as a sentence."""


class CommandStops:
    """The real door."""

    def plan(self, run: str) -> PlannedStop:
        """See `StopDoor`."""
        document, said = _call(PLAN_SECONDS, run, "--dry-run")
        return PlannedStop(str(document["plan"]["run"]), tuple(map(clean, said)), tuple(document["phrases"]))

    def stop(self, planned: PlannedStop) -> str:
        """See `StopDoor`."""
        words = ["--confirm", planned.phrases[0]]
        words += ["--lose", planned.phrases[1]] if len(planned.phrases) > 1 else []
        document, _said = _call(STOP_SECONDS, planned.run, *words)
        return clean(f"{planned.run} is stopped; the bundle is {document['bundle']}")


def _call(seconds: float, *words: str) -> tuple[dict[str, Any], list[str]]:
    """The document and what was said. Raises `StopFailed` with the last line said."""
    try:
        done = subprocess.run(
            [*COMMAND, "stop", *words, "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StopFailed(f"`laststep stop` gave no answer: {error}") from error
    said = done.stderr.strip().splitlines()
    if done.returncode:
        told = [line for line in said if line.startswith("laststep:")] or said or ["it said nothing"]
        raise StopFailed(clean(told[-1].removeprefix("laststep:").strip()))
    document: dict[str, Any] = json.loads(done.stdout)
    return document, said
