"""A command run as our descendant: its exit code is its own, its signals reach it, its orphans stay below us.

We are the reaper of our descendants (PR_SET_CHILD_SUBREAPER, prctl(2)), so that a driver that leaves its shell is still
known as the command's. Nothing is ended here but what is asked for by pid.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import FrameType

from monitor.model.errors import LaststepError
from monitor.sources import proc

PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.2
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class CommandNotStarted(LaststepError):
    """The command can't be run."""

    HELP_TEXT = "write it as you would in the shell: laststep run -- python3 -m verl.trainer.main_ppo …"


class Supervisor:
    """Starts one command and waits for it; remembers every process that was seen below it."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        """pids of the command and of its descendants, orphans included."""
        self._ended: dict[int, int] = {}
        self._pid = 0
        self._early: list[int] = []
        """Signals that came while the command was being started."""
        self._process: subprocess.Popen[bytes] | None = None
        """Kept and never asked: a Popen that is dropped may take the exit status that we wait for."""

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start `command` with our terminal; its pid. Raises `CommandNotStarted`."""
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in FORWARDED:
            signal.signal(number, self._forward)
        # The terminal's own Ctrl-C goes to the whole group: the command decides what it means.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            self._process = subprocess.Popen(command, env=dict(environment))
        except OSError as error:
            raise CommandNotStarted(f"`{command[0]}` can't be started: {error.strerror}") from error
        self._pid = self._process.pid
        self.seen.add(self._pid)
        while self._early:
            self._forward(self._early.pop(0), None)
        return self._pid

    def wait(self) -> int:
        """The command's exit code as a shell gives it: 128 + N where signal N ended it."""
        while self._pid not in self._ended:
            self._look()
            time.sleep(POLL_SECONDS)
        code = os.waitstatus_to_exitcode(self._ended[self._pid])
        return 128 - code if code < 0 else code

    def wait_for(self, pid: int, seconds: float) -> bool:
        """True once another child of ours, `pid`, has ended; False where it lives on after `seconds`."""
        deadline = time.monotonic() + seconds
        while proc.stat_fields(pid) and time.monotonic() < deadline:
            self._look()
            time.sleep(POLL_SECONDS)
        return not proc.stat_fields(pid)

    def _look(self) -> None:
        table = proc.parents()
        below = set(proc.descendants(os.getpid(), table))
        self.seen |= below
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended[pid] = status

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if not self._pid:
            self._early.append(number)
        elif self._pid not in self._ended:
            os.kill(self._pid, number)
