"""Fakes at the dashboard's two doors: a ledger that gives what it is told, and reruns that record what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.model.errors import LaststepError
from monitor.tui.dashboard import Dashboard
from monitor.tui.feed import Feed
from monitor.tui.rerun_door import PlannedRerun
from monitor.tui.screen_data import ScreenData
from monitor.tui.stop_door import PlannedStop
from tests.tui import examples


class FakeLedger:
    """A `LedgerReader`; `data` may be replaced while it is read, `error` makes the next readings fail."""

    def __init__(self, data: ScreenData) -> None:
        self.data = data
        self.error: Exception | None = None
        self.asked: list[str | None] = []
        self.closed = 0

    def read(self, run: str | None, now: float) -> ScreenData:
        del now
        self.asked.append(run)
        if self.error is not None:
            raise self.error
        return self.data

    def close(self) -> None:
        self.closed += 1


class FakeReruns:
    """A `RerunDoor`."""

    def __init__(self, planned: PlannedRerun | None = None, problem: LaststepError | None = None) -> None:
        self._planned = planned or examples.planned()
        self._problem = problem
        self.asked: list[tuple[str, int | None]] = []
        self.launches: list[PlannedRerun] = []
        self.on_launch: Callable[[], None] = lambda: None

    def plan(self, run: str, step: int | None) -> PlannedRerun:
        self.asked.append((run, step))
        if self._problem is not None:
            raise self._problem
        return replace(self._planned, run=run)

    def launch(self, planned: PlannedRerun) -> str:
        self.launches.append(planned)
        self.on_launch()
        return "r1"


class FakeStops:
    """A `StopDoor`."""

    def __init__(self, *phrases: str, problem: LaststepError | None = None) -> None:
        self._phrases, self._problem = phrases, problem
        self.stopped: list[PlannedStop] = []

    def plan(self, run: str) -> PlannedStop:
        if self._problem is not None:
            raise self._problem
        return PlannedStop(
            run, ("  driver (pid 7)", "  Ray itself, and other jobs in it, stay"), self._phrases or (run,)
        )

    def stop(self, planned: PlannedStop) -> str:
        self.stopped.append(planned)
        return f"{planned.run} is stopped"


def dashboard(
    data: ScreenData, reruns: FakeReruns | None = None, *, read_only: bool = False, stops: FakeStops | None = None
) -> tuple[Dashboard, FakeLedger]:
    """A dashboard that reads from a fake ledger, with its thread running."""
    ledger = FakeLedger(data)
    feed = Feed(lambda: ledger, None, clock=lambda: examples.NOW)
    feed.start()
    feed.first_reading.wait(10)
    return Dashboard(feed, reruns or FakeReruns(), stops, read_only=read_only), ledger


def rows(app: Dashboard) -> list[str]:
    """What is on the screen, as text rows."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip)[:width].rstrip() for strip in lines[:height]]
