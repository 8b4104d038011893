"""Keys and clicks that look closer at what one view shows: a run of the list, a score, a link, a match of the log.

Nothing here changes anything outside the screen. Keys that act, and those of every view, are `dashboard.py`.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.tui import view_state
from monitor.tui.canvas_app import CanvasApp
from monitor.tui.rerun_flow import RerunFlow
from monitor.tui.screens import hang, runs_list


class ViewKeys(CanvasApp):
    """The keys of single views."""

    def action_open_run(self) -> None:
        """Look at the run of the selected row."""
        run, _ = view_state.selected(self.state, self.data, self.room)
        if run and self.state.view == "scores":
            self.feed.show_run(run)
            self.become(replace(self.state.showing("run"), flow=RerunFlow()))

    def action_look_at(self, place: int) -> None:
        """Look at the run at a place of the list: what a click on it does."""
        if 0 <= place < len(self.data.runs):
            self._look_at(self.data.runs[place].name)

    def action_previous_run(self) -> None:
        """Look at the run above."""
        self._look_at(runs_list.neighbour(self.data, -1))

    def action_next_run(self) -> None:
        """Look at the run below."""
        self._look_at(runs_list.neighbour(self.data, 1))

    def _look_at(self, run: str | None) -> None:
        if run is None:
            self.tell("There is no further run in the list.")
        else:
            self.feed.show_run(run)
            self.become(replace(self.state, scrolled=0, flow=RerunFlow(), link=None))

    def action_sort(self) -> None:
        """The scores in the next order."""
        if self.state.view == "scores":
            self.become(self.state.ordered())
            self.tell(f"The runs are ordered by {self.state.order}.")

    def action_evidence(self) -> None:
        """All that is known of the selected score."""
        self._show_detail("evidence")

    def action_compare(self) -> None:
        """Which comparisons with the selected score hold."""
        self._show_detail("compare")

    def _show_detail(self, detail: str) -> None:
        if self.state.view == "scores" and not self.state.overlay:
            self.become(self.state.with_detail(detail))

    def action_only(self) -> None:
        """Only the lines that match, or all."""
        if self.state.view != "log" or self.state.overlay:
            return
        self.become(replace(self.state, only_matches=not self.state.only_matches, log_top=None))
        all_lines = "All lines are shown, matches are marked; n and N go through them."
        self.tell("Only lines that match are shown." if self.state.only_matches else all_lines)

    def action_next(self) -> None:
        """To the next match, or link of the chain."""
        self._to_link(0, 1) if self.state.view == "hang" else self._to_match(forward=True)

    def action_previous(self) -> None:
        """To the match or link before."""
        self._to_link(-1, -1) if self.state.view == "hang" else self._to_match(forward=False)

    def action_link(self, place: int) -> None:
        """Open the evidence of a link, or close it: what a click on the chain does."""
        if self.state.view == "hang" and not self.state.overlay:
            place_or_none = None if self.state.link == place else place
            self.become(view_state.to_link(self.state, self.data, self.room, place_or_none))

    def _to_link(self, first: int, by: int) -> None:
        count = len(hang.links(self.data))
        if self.state.overlay or not count:
            self.tell("There is no chain of waits to go through.")
            return
        place = first % count if self.state.link is None else self.state.link + by
        self.become(view_state.to_link(self.state, self.data, self.room, place))

    def _to_match(self, *, forward: bool) -> None:
        if self.state.view != "log" or self.state.overlay:
            return
        if self.state.log_filter.pattern is None:
            self.tell("There is nothing to go to: / types what to search for.")
            return
        moved = view_state.to_match(replace(self.state, only_matches=False), self.data, forward=forward)
        self.become(moved)
