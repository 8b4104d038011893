"""The runs section of the Run screen: every run of the ledger with its machine, how it is, and since when. Pure.

Shown where there is more than one. A click, or `[` and `]`, looks at another run; their scores are the Scores screen's.
"""

from __future__ import annotations

from monitor.tui import wording
from monitor.tui.cells import Line, Span, ending, line, span, width_of
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens.common import standing_spans
from monitor.tui.sections import Section
from monitor.tui.theme import SIGNS

HOST_CELLS = 14
WIDE = 90
"""Width from which a row also tells the steps and what the run's score may claim."""


def section(data: ScreenData, width: int, rank: int) -> Section:
    """Newest first; a run of which nothing is known but its name is left out."""
    if len(data.runs) < 2:
        return Section("runs", ())
    rows = tuple(_row(place, run, data, width) for place, run in enumerate(data.runs))
    machines = len({run.host for run in data.runs if run.host})
    note = f"{len(rows)} on {wording.count(machines, 'machine')}, [ ] go through them" if machines else "[ ] change"
    return Section("runs", rows, least=min(2, len(rows)), rank=rank, note=note)


def neighbour(data: ScreenData, by: int) -> str | None:
    """The run `by` places further down the list than the one that is shown; None past its ends."""
    names = [run.name for run in data.runs]
    place = names.index(data.run) + by if data.run in names else 0
    return names[place] if 0 <= place < len(names) else None


def how(run: RunRow, now: float) -> tuple[str, str]:
    """State and words: how the run is, and since when."""
    if run.ended_at is not None:
        word = run.ended_how or "ended"
        return ("info" if word == "finished" else "warn"), f"{word} {wording.ago(now - run.ended_at)}"
    if run.hung_since is not None:
        return "bad", f"hangs since {wording.age(now - run.hung_since)}"
    return "ok", f"running since {wording.age(now - run.started_at)}"


def _row(place: int, run: RunRow, data: ScreenData, width: int) -> Line:
    state, words = how(run, data.now)
    host = ending(run.host, HOST_CELLS) if run.host else "? host"
    tail: list[Span] = [span(f" {SIGNS[state]} {words}", state), span(f"  {host}", "text" if run.host else "unknown")]
    if width >= WIDE:
        steps = f"{'?' if run.step is None else run.step}/{'?' if run.total_steps is None else run.total_steps}"
        tail += [span(f"  step {steps}  ", "dim"), *(standing_spans(run.standing) if run.standing else [])]
    here = run.name == data.run
    # The end of a name is its start time: that tells runs of one experiment apart.
    name = ending(run.name, max(width - width_of(tuple(tail)) - 4, 12))
    look = "strong" if here else "text"
    return line(span(f" {'›' if here else ' '} {name} ", look, f"app.look_at({place})"), *tail)
