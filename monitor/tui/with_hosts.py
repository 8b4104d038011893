"""A `LedgerReader` that adds what other machines say of their runs: the ledger itself knows only this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.model.other_host import OtherHost
from monitor.tui.feed import LedgerReader, OpenReader
from monitor.tui.screen_data import ScreenData


class WithHosts:
    """Reads through another reader."""

    def __init__(self, reader: LedgerReader, others: Callable[[], tuple[OtherHost, ...]]) -> None:
        self._reader, self._others = reader, others

    def read(self, run: str | None, now: float) -> ScreenData:
        """See `LedgerReader`."""
        return replace(self._reader.read(run, now), others=self._others())

    def close(self) -> None:
        """See `LedgerReader`."""
        self._reader.close()


def with_hosts(opened: OpenReader, others: Callable[[], tuple[OtherHost, ...]]) -> OpenReader:
    """An opener of readers that add what `others` gives."""
    return lambda: WithHosts(opened(), others)
