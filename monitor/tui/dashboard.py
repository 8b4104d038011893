"""The dashboard: keys to states, readings to lines, and the few calls that act (plan, launch), each in a thread.

Owns nothing: the watch writes the ledger, the rerun is a process of its own. What is drawn is decided by
`view_state.py` and `screens/`; how it ends by `lifecycle.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from monitor.model.errors import ExitCode, LaststepError
from monitor.model.score import Standing
from monitor.report.clean_text import clean
from monitor.tui import lifecycle, view_state
from monitor.tui.actions import ACTIONS, actions
from monitor.tui.bundle_report import read_report
from monitor.tui.bundle_stacks import read_stacks
from monitor.tui.feed import Feed
from monitor.tui.rerun_door import PlannedRerun, RerunDoor
from monitor.tui.rerun_flow import RerunFlow, Stage
from monitor.tui.screens.log import make_filter
from monitor.tui.screenshot import rows_of, saved
from monitor.tui.stop_door import StopDoor
from monitor.tui.stop_keys import PURPOSE, StopKeys
from monitor.tui.theme import DARK, Theme, following
from monitor.tui.view_state import Report


def _bindings() -> list[BindingType]:
    return [
        Binding(",".join(action.keys), action.name, action.label, key_display=action.key_text, show=False)
        for action in ACTIONS
    ]


class Dashboard(StopKeys):
    """The application. `feed` reads the ledger; `reruns` plans and launches, `stops` stops; None: not possible here."""

    BINDINGS: ClassVar[list[BindingType]] = _bindings()

    def __init__(
        self,
        feed: Feed,
        reruns: RerunDoor | None = None,
        stops: StopDoor | None = None,
        *,
        read_only: bool = False,
        palette: Theme = DARK,
    ) -> None:
        super().__init__(feed, stops, read_only=read_only, palette=palette)
        self._reruns = None if read_only else reruns
        self._stacks_of: str | None = None

    def show(self) -> int:
        """Run until it is left; the exit code."""
        lifecycle.end_with_terminal(sys.__stdin__.fileno() if sys.__stdin__ else 0)
        self.run()
        self.feed.stop()
        return self.return_code or 0

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Actions that change something don't exist in a read-only dashboard."""
        del parameters
        known = {item.name.split("(")[0]: item for item in ACTIONS}
        return not (self.state.read_only and action in known and known[action].changes)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the same registry as the keys."""
        del screen
        for action in actions(read_only=self.state.read_only):
            yield SystemCommand(f"{action.label} ({action.key_text})", action.help, partial(self._act, action.name))

    def _act(self, name: str) -> None:
        self.call_later(self.run_action, name)

    def action_show(self, view: str) -> None:
        """Show a screen."""
        self.become(self.state.showing(view))
        if view == "rerun" and self.state.flow.can_confirm:
            self._ask_confirmation()

    def action_leave(self) -> None:
        """Leave the prompt, the overlay, the plan, the filter, the view: the innermost first."""
        state = self.state
        if self._prompt.purpose:
            self._prompt.close()
            if state.flow.stage is Stage.PLANNED:
                self.tell("Nothing was launched. 4 shows the plan again.")
        elif state.overlay:
            self.become(replace(state, help_open=False, report=None, scrolled=0))
        elif state.detail:
            self.become(state.with_detail(state.detail))
        elif state.view == "hang" and state.link is not None:
            self.become(replace(state, link=None))
        elif state.view in ("log", "scores") and state.filter.text:
            self.become(state.with_filter(make_filter("")))
        elif state.view == "rerun" and state.flow.stage in (Stage.PLANNED, Stage.FAILED):
            self.become(replace(state, flow=RerunFlow(), scrolled=0))
        else:
            self.become(state.showing("run"))

    def action_help(self) -> None:
        """All keys."""
        self.become(replace(self.state, help_open=not self.state.help_open, report=None, scrolled=0))

    async def action_quit(self) -> None:
        """Leave."""
        self.exit(return_code=int(ExitCode.OK))

    def action_theme(self) -> None:
        """The next theme."""
        self.take_palette(following(self.palette))
        self.tell(f"Colours: {self.palette.name}. `theme: {self.palette.name}` in monitor.yaml keeps them.")

    def action_save(self) -> None:
        """This screen as SVG and as text."""
        self._save(self.export_screenshot(title="laststep"), rows_of(self.screen))

    @work(thread=True, group="save")
    def _save(self, svg: str, text: list[str]) -> None:
        told = saved(self.data.run or "no-run", self.state.view, time.time(), svg, text)
        self.call_from_thread(self.tell, told)

    def paint(self) -> None:
        """Draw, and read the stacks of a bundle that is looked at for the first time."""
        super().paint()
        bundle = self.data.live.bundle if self.data.live else None
        if self.state.view == "hang" and bundle is not None and bundle != self._stacks_of:
            self._stacks_of = bundle
            self._read_stacks(bundle)

    @work(thread=True, exclusive=True, group="stacks")
    def _read_stacks(self, bundle: str) -> None:
        stacks = read_stacks(bundle)
        self.call_from_thread(lambda: self.become(replace(self.state, stacks=stacks)))

    def action_bundle(self) -> None:
        """Where the bundle lies, and its report."""
        stored = next((row.bundle for row in self.data.findings if row.bundle), None)
        path = (self.data.live.bundle if self.data.live else None) or stored
        if path is None:
            self.tell("There is no bundle: one is written when a finding, a stall or an unknown appears.")
            return
        self._open_report(path)

    @work(thread=True, exclusive=True, group="bundle")
    def _open_report(self, path: str) -> None:
        lines = read_report(path)
        self.call_from_thread(lambda: self.become(replace(self.state, report=Report(path, lines), scrolled=0)))

    # Typing.

    def action_filter(self) -> None:
        """Type a filter; elsewhere than on Scores, it is the log's."""
        if self.state.view not in ("log", "scores"):
            self.action_show("log")
        self._prompt.ask("filter", "filter: a regular expression, Enter keeps it, Esc leaves", self.state.filter.text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter works while it is typed."""
        if self._prompt.purpose == "filter":
            self.become(self.state.with_filter(make_filter(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: keep the filter; or launch, where the run's whole name was typed."""
        if self._prompt.purpose == "filter":
            self._prompt.close()
        elif self._prompt.purpose == "confirm":
            self._confirm(event.value)
        elif self._prompt.purpose == PURPOSE:
            self.stop_typed(event.value)

    def _confirm(self, typed: str) -> None:
        flow = self.state.flow
        if not flow.confirms(typed):
            self.tell(f"Not launched: that is not the run's name, {flow.run}")
            return
        self._prompt.close()
        self.become(replace(self.state, flow=flow.launching()))
        if flow.planned is not None:
            self._launch(flow.planned)

    def _ask_confirmation(self) -> None:
        self._prompt.ask("confirm", f"type {self.state.flow.run} and Enter to launch, Esc to leave")

    # Reruns.

    def action_plan_rerun(self) -> None:
        """Plan the rerun of the selected score, or of the run's final one."""
        run, score = view_state.selected(self.state, self.data, self.room)
        if run is None or self._reruns is None:
            self.tell("There is no run to plan a rerun for." if run is None else "Reruns can't be planned from here.")
            return
        if self.state.flow.stage in (Stage.PLANNING, Stage.LAUNCHING):
            self.become(self.state.showing("rerun"))
            return
        if score is not None and score.standing == (Standing.VALID,):
            self.tell("That score is valid already; select another, or the run itself.")
            return
        # A score of an earlier step claims nothing that a rerun could mend: what is missing is the final one.
        step = score.step if score is not None and Standing.NOT_FINAL not in score.standing else None
        self.become(replace(self.state.showing("rerun"), flow=RerunFlow().began(run, step)))
        self._plan(run, step)

    @work(thread=True, exclusive=True, group="rerun")
    def _plan(self, run: str, step: int | None) -> None:
        self._attempt(lambda door: self._planned(door.plan(run, step)))

    @work(thread=True, exclusive=True, group="rerun")
    def _launch(self, planned: PlannedRerun) -> None:
        self._attempt(lambda door: self._launched(door.launch(planned)))

    def _attempt(self, call: Callable[[RerunDoor], None]) -> None:
        """In a thread: a call through the door; what goes wrong becomes the flow's problem."""
        assert self._reruns is not None
        try:
            call(self._reruns)
        except (LaststepError, OSError) as error:
            cure = getattr(error, "HELP_TEXT", "")
            failed = partial(self.state.flow.with_problem, clean(str(error)), clean(cure))
            self.call_from_thread(lambda: self.become(replace(self.state, flow=failed())))

    def _planned(self, planned: PlannedRerun) -> None:
        self.call_from_thread(self._show_plan, planned)

    def _show_plan(self, planned: PlannedRerun) -> None:
        self.become(replace(self.state, flow=self.state.flow.with_plan(planned)))
        if self.state.view == "rerun" and self.state.flow.can_confirm and not self.state.overlay:
            self._ask_confirmation()

    def _launched(self, identity: str) -> None:
        self.feed.read_now()
        self.call_from_thread(lambda: self.become(replace(self.state, flow=self.state.flow.launched(identity))))
