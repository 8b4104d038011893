"""A running dashboard for tests: keys in, the screen's text out, its doors at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from monitor.tui.dashboard import Dashboard
from monitor.tui.screen_data import ScreenData
from tests.tui.fakes import FakeLedger, FakeReruns, FakeStops, dashboard, rows


class Session:
    """A running dashboard with its doors."""

    def __init__(self, app: Dashboard, ledger: FakeLedger, reruns: FakeReruns, pilot: Pilot[int]) -> None:
        self.app, self.ledger, self.reruns, self.pilot = app, ledger, reruns, pilot

    @property
    def text(self) -> str:
        return "\n".join(rows(self.app))

    async def press(self, *keys: str) -> str:
        await self.pilot.press(*keys)
        await self.pilot.pause()
        return self.text

    async def until(self, condition: Callable[[], bool]) -> str:
        for _ in range(400):
            await self.pilot.pause(0.02)
            if condition():
                return self.text
        raise AssertionError("never came:\n" + self.text)

    async def until_shown(self, text: str) -> str:
        return await self.until(lambda: text in self.text)

    async def read(self, data: ScreenData) -> str:
        """The ledger says something else now."""
        self.ledger.data = data
        self.app.feed.read_now()
        return await self.until(lambda: self.app.data == data)


@asynccontextmanager
async def opened(
    data: ScreenData,
    size: tuple[int, int] = (80, 24),
    reruns: FakeReruns | None = None,
    *,
    read_only: bool = False,
    stops: FakeStops | None = None,
) -> AsyncIterator[Session]:
    doors = reruns or FakeReruns()
    app, ledger = dashboard(data, doors, read_only=read_only, stops=stops)
    async with app.run_test(size=size) as pilot:
        session = Session(app, ledger, doors, pilot)
        await session.until_shown("q quit")
        yield session
