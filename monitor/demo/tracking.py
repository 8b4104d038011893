"""Where the metrics of a step go, in verl's forms: one console line, one line of the file logger, a progress bar."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_LOGGER_PATH = "VERL_FILE_LOGGER_PATH"
FILE_LOGGER_ROOT = "VERL_FILE_LOGGER_ROOT"
BAR_CHARACTERS = 10


class Tracking:
    """The loggers `console` and `file`."""

    def __init__(self, project_name: str, experiment_name: str) -> None:
        path = os.environ.get(FILE_LOGGER_PATH)
        if path is None:
            path = os.path.join(os.environ.get(FILE_LOGGER_ROOT, "."), project_name, f"{experiment_name}.jsonl")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "wb")  # noqa: SIM115 - open as long as the run

    def log(self, data: Mapping[str, Any], step: int) -> None:
        """All metrics of a step, once, at its end."""
        print(" - ".join([f"step:{step}", *(f"{key}:{value}" for key, value in data.items())]), flush=True)
        self._file.write(json.dumps({"step": step, "data": dict(data)}).encode() + b"\n")
        self._file.flush()

    def finish(self) -> None:
        """No more steps."""
        self._file.close()


class ProgressBar:
    """`Training Progress`, redrawn on stderr in tqdm's form."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()

    def advance(self) -> None:
        """One step more."""
        self._done += 1
        self.redraw()

    def redraw(self) -> None:
        """The same count, with the time that passed."""
        seconds = time.monotonic() - self._began
        part = self._done / self._total
        rate = f"{seconds / self._done:5.2f}s/it" if self._done else "?s/it"
        left = _clock(seconds / self._done * (self._total - self._done)) if self._done else "?"
        blocks = "█" * int(part * BAR_CHARACTERS)
        sys.stderr.write(
            f"\rTraining Progress: {part:4.0%}|{blocks:<{BAR_CHARACTERS}}| {self._done}/{self._total} "
            f"[{_clock(seconds)}<{left}, {rate}]"
        )
        sys.stderr.write("\n" if self._done == self._total else "")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
