"""All threads of a Python process by py-spy, without stopping it: stacks, event loops, and what a `ray.get` waits for.

`py-spy dump --nonblocking` reads memory only (12 to 18 ms, no ptrace). It is a child with a deadline, so a hanging
py-spy costs its deadline and nothing else. What can't be read is said in `ThreadReading.unknown`, never left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.inspection import thread_frames
from monitor.inspection.access import MEMORY_CURE
from monitor.model.snapshot import ThreadState

ATTEMPTS = 3
"""A process that runs may change under the reader: such a reading is tried again."""
RETRY_SECONDS = 0.05


@dataclass(frozen=True)
class ThreadReading:
    """Threads of one process, or in `unknown` why there are none."""

    threads: tuple[ThreadState, ...] = ()
    unknown: str = ""


def read_threads(pid: int, *, timeout: float = 5.0, command: Sequence[str] | None = None) -> ThreadReading:
    """The threads of `pid`. `command` replaces py-spy itself (for its refusals)."""
    py_spy = list(command) if command is not None else find_py_spy()
    if not py_spy:
        return ThreadReading(unknown="py-spy is not installed: `pip install py-spy` shows stacks")
    if not os.path.exists(f"/proc/{pid}"):
        return ThreadReading(unknown=f"pid {pid} is gone")
    deadline = time.monotonic() + timeout
    reading = ThreadReading(unknown=f"py-spy gave no answer within {timeout:g} s")
    for attempt in range(ATTEMPTS):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        reading, final = _read_once(py_spy, pid, remaining, timeout)
        if final or attempt == ATTEMPTS - 1:
            break
        time.sleep(RETRY_SECONDS)
    return reading


def find_py_spy() -> list[str]:
    """py-spy beside this interpreter, else on the path; empty where there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "py-spy")
    found = beside if os.access(beside, os.X_OK) else shutil.which("py-spy")
    return [found] if found else []


def _read_once(py_spy: list[str], pid: int, remaining: float, timeout: float) -> tuple[ThreadReading, bool]:
    """A reading, and whether trying again can't better it."""
    arguments = [*py_spy, "dump", "--nonblocking", "--json", "--locals", "--pid", str(pid)]
    try:
        done = subprocess.run(
            arguments, capture_output=True, timeout=remaining, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        return ThreadReading(unknown=f"py-spy gave no answer within {timeout:g} s"), True
    except OSError as error:
        return ThreadReading(unknown=f"py-spy can't be started: {error.strerror}"), True
    if done.returncode != 0:
        return _refusal(pid, done.stderr.decode("utf-8", "replace"))
    try:
        threads = thread_frames.parse(pid, json.loads(done.stdout), time.monotonic())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ThreadReading(unknown="py-spy's answer can't be read (another version?)"), False
    return ThreadReading(threads), bool(threads)


def _refusal(pid: int, stderr: str) -> tuple[ThreadReading, bool]:
    text = " ".join(stderr.split())[:300]
    if "ermission" in text or "EPERM" in text or "not permitted" in text:
        return ThreadReading(unknown=f"reading pid {pid} is not permitted: {MEMORY_CURE}"), True
    if not os.path.exists(f"/proc/{pid}"):
        return ThreadReading(unknown=f"pid {pid} is gone"), True
    if "python version" in text.lower() or "libpython" in text.lower():
        return ThreadReading(unknown=f"no Python interpreter was found in pid {pid}"), True
    return ThreadReading(unknown=f"py-spy failed: {text or 'no reason given'}"), False


def parse_dump(pid: int, document: list[dict[str, Any]], now: float) -> tuple[ThreadState, ...]:
    """A py-spy JSON document as threads; `now` is the monotonic time it was made at."""
    return thread_frames.parse(pid, document, now)
