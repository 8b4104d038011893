"""The key that stops a hung run: the plan over the screen, typed words (twice where weights are lost), then the call.

What is typed is compared with the plan's own phrases, which Enter alone, or a key held down, can't give.
"""

from __future__ import annotations

from dataclasses import replace

from textual import work

from monitor.model.errors import LaststepError
from monitor.report.clean_text import clean
from monitor.tui.feed import Feed
from monitor.tui.stop_door import PlannedStop, StopDoor
from monitor.tui.theme import DARK, Theme
from monitor.tui.view_keys import ViewKeys
from monitor.tui.view_state import Report
from monitor.tui.widgets.prompt import Prompt

PURPOSE = "stop"


class StopKeys(ViewKeys):
    """The part of the application that stops runs. `stops`: None where that is not possible."""

    def __init__(
        self, feed: Feed, stops: StopDoor | None = None, *, read_only: bool = False, palette: Theme = DARK
    ) -> None:
        super().__init__(feed, read_only=read_only, palette=palette)
        self._stops = None if read_only else stops
        self._to_stop: PlannedStop | None = None
        self._typed = 0

    @property
    def _prompt(self) -> Prompt:
        return self.screen_stack[0].query_one(Prompt)

    def action_stop_run(self) -> None:
        """Plan the stop of the live run that is shown."""
        if self._stops is None or self.data.run is None or self.data.live is None:
            self.tell("There is no live run to stop." if self._stops else "Runs can't be stopped from here.")
            return
        self.tell("Looking at what would have to be stopped; nothing is stopped before you type it …")
        self._plan_stop(self._stops, self.data.run)

    @work(thread=True, exclusive=True, group="stop")
    def _plan_stop(self, door: StopDoor, run: str) -> None:
        try:
            planned = door.plan(run)
        except LaststepError as error:
            self.call_from_thread(self.tell, clean(f"{error}. {error.HELP_TEXT}"))
            return
        self.call_from_thread(self._show_stop, planned)

    def _show_stop(self, planned: PlannedStop) -> None:
        self._to_stop, self._typed = planned, 0
        self.become(replace(self.state, report=Report(f"stop {planned.run}", planned.lines), scrolled=0))
        self._ask_stop(planned)

    def _ask_stop(self, planned: PlannedStop) -> None:
        self._prompt.ask(PURPOSE, f"type `{planned.phrases[self._typed]}` and Enter to stop it, Esc to leave")

    def stop_typed(self, typed: str) -> None:
        """Words were typed at the prompt of a stop."""
        planned = self._to_stop
        if planned is None:
            return
        if typed.strip() != planned.phrases[self._typed]:
            self.tell(f"Nothing is stopped: that is not `{planned.phrases[self._typed]}`")
            return
        self._typed += 1
        if self._typed < len(planned.phrases):
            self._ask_stop(planned)
            return
        self._to_stop = None
        self._prompt.close()
        self.become(replace(self.state, report=None, scrolled=0))
        self.tell(f"Stopping {planned.run} …")
        if self._stops is not None:
            self._stop(self._stops, planned)

    @work(thread=True, group="stop")
    def _stop(self, door: StopDoor, planned: PlannedStop) -> None:
        try:
            told = door.stop(planned)
        except LaststepError as error:
            told = f"{error}. {error.HELP_TEXT}"
        self.call_from_thread(self.tell, clean(told))
