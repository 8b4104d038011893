"""Being asked to end: signals become a flag that is looked at between steps, so nothing half-started is left behind."""

from __future__ import annotations

import signal

from monitor.model.errors import ExitCode, LaststepError


class Cancelled(LaststepError):
    """Someone asked the rerun to end."""

    exit_code = ExitCode.TERMINATED


class Cancellation:
    """SIGTERM, SIGINT and SIGHUP, asked for by `check`."""

    def __init__(self) -> None:
        self._asked = False

    def listen(self) -> None:
        """Take the signals; again after `ray.init`, which installs a handler of its own."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self._asked = True

    def check(self) -> None:
        """Raises `Cancelled` once asked to end."""
        if self._asked:
            raise Cancelled("the rerun was cancelled")
