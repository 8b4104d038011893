"""GPUs by NVML, read in a child process with a deadline: a driver that hangs costs a child, never the watch.

A reading is fresh, or unknown with since when and why; a GPU of it that is lost is unknown for itself
(`lost_gpus.py`). An absent driver, or one that is gone, is asked for again once a minute only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.model.json_form import MalformedRecord
from monitor.model.reading import Reading, Unknown
from monitor.model.run import GpuReading
from monitor.sources.lost_gpus import KnownGpus

WHAT = "gpus"
FIRST_PATIENCE_SECONDS = 1.5
"""How long the first poll waits for the child to start."""
PATIENCE_SECONDS = 0.2
AGAIN_SECONDS = 60.0
"""After an absent driver or a hanging one, the next try."""
CHILD = (sys.executable, "-m", "monitor.sources.gpu_child")
HANGS_CURE = "`nvidia-smi` will hang too: look at `dmesg` for Xid lines; the driver or the GPU needs a reset"
FAILED_CURE = "try `nvidia-smi`: it says the same where the driver is at fault; then look at `dmesg` for NVRM lines"
ABSENT_CURE = "nothing to do on a machine without NVIDIA GPUs"


class GpuReader:
    """Asks the child, once a poll."""

    def __init__(
        self, deadline: float = 5.0, command: Sequence[str] = CHILD, environ: Mapping[str, str] | None = None
    ) -> None:
        self._deadline = deadline
        self._command = tuple(command)
        self._environ = dict(os.environ if environ is None else environ)
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_at: float | None = None
        self._buffer = b""
        self._last: Reading[tuple[GpuReading, ...]] | None = None
        self._since: float | None = None
        self._again_at = 0.0
        self._known = KnownGpus()

    def poll(self, now: float) -> Reading[tuple[GpuReading, ...]]:
        """All GPUs, or why they can't be read. Waits briefly; an answer that is late is taken by a later poll."""
        if self._last is not None and self._child is None and time.monotonic() < self._again_at:
            return self._last
        try:
            self._ask()
            line = self._answer(FIRST_PATIENCE_SECONDS if self._last is None else PATIENCE_SECONDS)
        except OSError as error:
            return self._failed(now, f"the GPU child ended or can't be started: {error}", "")
        if line is not None:
            return self._take(line, now)
        waited = time.monotonic() - (self._asked_at or time.monotonic())
        if waited > self._deadline:
            return self._failed(now, f"NVML gave no answer within {self._deadline:g} s", HANGS_CURE)
        if self._last is not None:
            return self._last
        return Reading(now, unknown=self._unknown(now, "NVML has not answered yet", ""))

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        self._asked_at = None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        # A child stuck in the driver can't be reaped before the driver lets go; it is not waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.5)

    def _ask(self) -> None:
        if self._child is None:
            root = str(Path(__file__).resolve().parents[2])
            path = os.pathsep.join(part for part in (root, self._environ.get("PYTHONPATH", "")) if part)
            # From "/": a folder named `monitor` in the caller's working directory would be taken for ours.
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**self._environ, "PYTHONPATH": path},
                cwd="/",
                start_new_session=True,
            )
            self._buffer = b""
            self._asked_at = None
        if self._asked_at is None and self._child.stdin is not None:
            os.write(self._child.stdin.fileno(), b"read\n")
            self._asked_at = time.monotonic()

    def _answer(self, patience: float) -> bytes | None:
        """One line of the child, None where it hasn't come yet. Raises OSError where the child ended."""
        if self._child is None or self._child.stdout is None:
            return None
        until = time.monotonic() + patience
        descriptor = self._child.stdout.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            block = os.read(descriptor, 1 << 16)
            if not block:
                raise OSError(f"exit status {self._child.wait(1.0)}")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        self._asked_at = None
        return line

    def _take(self, line: bytes, now: float) -> Reading[tuple[GpuReading, ...]]:
        try:
            answer = json.loads(line)
            if "absent" in answer:
                return self._failed(now, str(answer["absent"]), ABSENT_CURE)
            if "failed" in answer:
                return self._failed(now, str(answer["failed"]), str(answer.get("cure", FAILED_CURE)))
            gpus = self._known.merge(answer["gpus"], now)
        except (ValueError, KeyError, TypeError, MalformedRecord):
            return self._failed(now, "the GPU child gave an answer that can't be read", "")
        self._since = None
        self._last = Reading(now, value=gpus)
        return self._last

    def _failed(self, now: float, because: str, cure: str) -> Reading[tuple[GpuReading, ...]]:
        self.close()
        self._again_at = time.monotonic() + AGAIN_SECONDS
        self._last = Reading(now, unknown=self._unknown(now, because, cure))
        return self._last

    def _unknown(self, now: float, because: str, cure: str) -> Unknown:
        self._since = now if self._since is None else self._since
        return Unknown(WHAT, self._since, because, cure)
