"""The layout of a build, learned once from the target's own interpreter and tested on it before it is trusted.

The interpreter runs `layout_probe` as our child (isolated, without site, a clean environment, a deadline). Its offsets
are then used to read that very child, and must give all its tasks as it tells them. Kept by the identity of the files.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from monitor.inspection import layout_probe
from monitor.inspection.asyncio_reader import layout as layouts
from monitor.inspection.asyncio_reader.errors import NotReadable
from monitor.inspection.asyncio_reader.layout import Layout
from monitor.inspection.asyncio_reader.self_check import disagreement
from monitor.inspection.asyncio_reader.target import Identity, Target, describe

PROBE_SECONDS = 20.0
SETTLE_SECONDS = 3.0
ATTEMPTS = 3
"""A build that failed so often is not tried again: a first failure may be the machine's."""
MOST_ANSWER = 1 << 20
_FOLDER = Path(layout_probe.__file__).resolve().parents[1]
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import layout_probe.__main__"

_lock = threading.Lock()
_learning: dict[Identity, threading.Lock] = {}
_known: dict[Identity, Layout] = {}
_failed: dict[Identity, list[str]] = {}


def layout_of(target: Target) -> Layout:
    """The layout of the target's build. Raises `NotReadable` with the reason where it can't be learned or trusted."""
    with _lock:
        turn = _learning.setdefault(target.identity, threading.Lock())
    with turn:
        found = _known.get(target.identity)
        failed = _failed.setdefault(target.identity, [])
        if found is None and len(failed) >= ATTEMPTS:
            raise NotReadable(failed[-1])
        if found is None:
            try:
                found = _known[target.identity] = _learn(target)
            except NotReadable as error:
                failed.append(str(error))
                raise
    return found


def _learn(target: Target) -> Layout:
    """Run the probe, read it, compare."""
    try:
        child = subprocess.Popen(
            [target.executable, "-I", "-S", "-B", "-c", _PROGRAM, str(_FOLDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(target),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise NotReadable(f"its interpreter {target.executable} can't be run: {error.strerror}") from error
    try:
        return _hear(child, target, time.monotonic() + PROBE_SECONDS)
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The child with all that it started: what outlives it would hold its pipes, which are not read to their end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()


def _environment(target: Target) -> dict[str, str]:
    """Nothing of ours; where the interpreter has a shared library, the folder it is loaded from."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    if target.library:
        environment["LD_LIBRARY_PATH"] = os.path.dirname(target.library)
    return environment


def _hear(child: subprocess.Popen[bytes], target: Target, deadline: float) -> Layout:
    lines = _Lines(child, deadline)
    told = lines.next(target)
    if "unlike" in told:
        raise NotReadable(f"its interpreter is of a build that is not known: {told['unlike']}")
    try:
        found = layouts.parse(told["offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise NotReadable(f"its interpreter's layout can't be used: {error}") from error
    if (found.runtime_device, found.runtime_inode) not in target.bases:
        raise NotReadable("run anew, its interpreter loads another libpython than the process has")
    truth = lines.next(target)
    probe = describe(child.pid)
    settled = time.monotonic() + SETTLE_SECONDS
    # It tells first and comes to rest then: on a busy machine that takes its time.
    while because := disagreement(probe, found, truth):
        if time.monotonic() > settled:
            raise NotReadable(f"the layout learned from its interpreter failed its self-check: {because}")
        time.sleep(0.02)
    return found


class _Lines:
    """Documents that the probe prints, one a line, within a deadline."""

    def __init__(self, child: subprocess.Popen[bytes], deadline: float) -> None:
        self.child = child
        self.deadline = deadline
        self.rest = b""

    def next(self, target: Target) -> dict[str, Any]:
        """The next document. Raises `NotReadable`."""
        assert self.child.stdout is not None
        descriptor = self.child.stdout.fileno()
        while b"\n" not in self.rest:
            remaining = self.deadline - time.monotonic()
            ready = select.select([descriptor], [], [], max(0.0, remaining))[0] if remaining > 0 else []
            if not ready:
                raise NotReadable(f"its interpreter {target.executable} gave no layout within {PROBE_SECONDS:g} s")
            block = os.read(descriptor, 1 << 16)
            if not block or len(self.rest) > MOST_ANSWER:
                raise NotReadable(f"its interpreter {target.executable} ended without telling its layout")
            self.rest += block
        line, _, self.rest = self.rest.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError as error:
            raise NotReadable(f"its interpreter {target.executable} told no layout") from error
        if not isinstance(told, dict):
            raise NotReadable(f"its interpreter {target.executable} told no layout")
        return told
