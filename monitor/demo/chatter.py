"""What goes on chattering while a validation hangs: the same log line, a redrawn bar, a heartbeat call. No progress."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from monitor.demo.tracking import ProgressBar

PERIOD_SECONDS = 1.0


class Chatter:
    """A thread for the time of a `with` block, if it is wanted."""

    def __init__(self, worker: Any, bar: ProgressBar, *, wanted: bool) -> None:
        self._worker = worker
        self._bar = bar
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._report, name="health", daemon=True) if wanted else None

    def __enter__(self) -> None:
        if self._thread is not None:
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._ended.set()
            self._thread.join()

    def _report(self) -> None:
        import ray

        while not self._ended.wait(PERIOD_SECONDS):
            alive = ray.get(self._worker.heartbeat.remote())
            print(f"INFO rollout in progress, workers healthy: {alive}", flush=True)
            self._bar.redraw()
