"""The evaluation in a Ray of the rerun's own: head, driver and one actor, all gone when it returns or the job dies.

Never joins another cluster: the driver (`ray_driver.py`, a child) gets the address of the head that was started here.
The job itself never calls Ray, so it sees at once when head or driver ends, and can always be cancelled.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import to_json
from monitor.ray_head import RayHead, dying_with_parent
from monitor.rerun.cancellation import Cancellation
from monitor.rerun.claims import FOLDER_NOTE, FOLDER_PARENT, FOLDER_PREFIX
from monitor.rerun.plan import RerunPlan

POLL_SECONDS = 0.3
CONNECT_SECONDS = 180.0
"""Longest wait for the driver: it starts, imports Ray and registers with a head that is up."""


class EvaluationFailed(LaststepError):
    """The evaluation ended without a result."""

    HELP_TEXT = "see the rerun's log"
    exit_code = ExitCode.INTERNAL


Evaluate = Callable[[RerunPlan, Callable[[int, int], None]], dict[str, Any]]


@contextmanager
def opened(plan: RerunPlan, cancellation: Cancellation) -> Iterator[Evaluate]:
    """The Ray; what it gives evaluates one plan after the other and returns each result as a document.

    Raises `EvaluationFailed`, `Cancelled`, `RayHeadFailed`.
    """
    with head_folder(plan) as folder, RayHead.start(folder, num_cpus=1, dies_with_parent=True) as head:
        cancellation.check()
        with RayDriver.start(head, cancellation) as driver:
            driver.until("connected", CONNECT_SECONDS)
            yield driver.evaluate


@contextmanager
def head_folder(plan: RerunPlan) -> Iterator[Path]:
    """A short folder for the head's own; a note in the rerun's folder names it, should this process be killed."""
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=FOLDER_PARENT))
    (Path(plan.out_directory) / FOLDER_NOTE).write_text(str(folder), encoding="utf-8")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class RayDriver:
    """The child that connects to a head, and its answers. Every wait ends with the child, with the head, or when the
    rerun is asked to end."""

    COMMAND = dying_with_parent((sys.executable, "-m", "monitor.rerun.ray_driver"), signal.SIGKILL)
    """Killed when the job dies: a driver in Ray's code obeys no other signal."""

    def __init__(
        self, head: RayHead, process: subprocess.Popen[bytes], answers: int, cancellation: Cancellation
    ) -> None:
        self._head = head
        self._process = process
        self._answers = answers
        self._cancellation = cancellation
        self._pending = b""

    @classmethod
    @contextmanager
    def start(cls, head: RayHead, cancellation: Cancellation, command: Sequence[str] = COMMAND) -> Iterator[RayDriver]:
        """The child, killed at the end: in Ray's own code it obeys nothing less."""
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                [*command, str(writer)],
                stdin=subprocess.PIPE,
                env={**os.environ, **head.environment()},
                pass_fds=(writer,),
            )
        finally:
            os.close(writer)
        try:
            yield cls(head, process, reader, cancellation)
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                # What could not be written to a driver that is gone doesn't matter any more.
                with suppress(OSError):
                    process.stdin.close()
            os.close(reader)

    def evaluate(self, plan: RerunPlan, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """The result's document. Raises `EvaluationFailed`, `Cancelled`."""
        if self._process.stdin is None:
            raise EvaluationFailed("the driver of the rerun's Ray takes no plans")
        with suppress(BrokenPipeError):
            # A driver that is gone is told by the wait below.
            self._process.stdin.write((json.dumps(to_json(plan)) + "\n").encode())
            self._process.stdin.flush()
        document: dict[str, Any] = self.until("result", None, progress)
        return document

    def until(self, key: str, seconds: float | None, progress: Callable[[int, int], None] | None = None) -> Any:
        """The first answer's value that has this key, waited for `seconds` at most."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            answer = self._next()
            if "error" in answer:
                raise EvaluationFailed(str(answer["error"]), str(answer.get("help", EvaluationFailed.HELP_TEXT)))
            if key in answer:
                return answer[key]
            if progress is not None and "progress" in answer:
                progress(*answer["progress"])
            if deadline is not None and time.monotonic() > deadline:
                raise EvaluationFailed(f"no driver of the rerun's own Ray was {key} within {seconds:.0f} s")

    def _next(self) -> dict[str, Any]:
        """One answer, or an empty one after a moment. Raises where none can come any more."""
        self._cancellation.check()
        ended = self._process.poll() is not None
        if b"\n" not in self._pending and select.select([self._answers], [], [], 0.0 if ended else POLL_SECONDS)[0]:
            self._pending += os.read(self._answers, 1 << 16)
        if b"\n" in self._pending:
            line, _, self._pending = self._pending.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            return answer
        if self._head.process.poll() is not None:
            raise EvaluationFailed(
                f"the rerun's own Ray ended in its midst (its head, with {self._head.process.returncode})"
            )
        if ended:
            raise EvaluationFailed(f"the driver of the rerun's own Ray ended with {self._process.returncode}")
        return {}
