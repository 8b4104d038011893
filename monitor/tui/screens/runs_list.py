"""The runs section of the Run screen: every run of the ledger, and those of other machines that are asked. Pure.

Each with its machine, how it is, and since when; a machine that is silent with since when and why.

Shown where there is more than one. A click, or `[` and `]`, looks at another run; their scores are the Scores screen's.
"""

from __future__ import annotations

from monitor.model.other_host import HostRun, OtherHost
from monitor.report.clean_text import clean
from monitor.tui import wording
from monitor.tui.cells import Line, Span, ending, line, span, width_of
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens.common import BANNERS, standing_spans, unknown
from monitor.tui.sections import Section
from monitor.tui.theme import SIGNS

HOST_CELLS = 14
STALE_SECONDS = 40.0
"""A machine is asked every 15 s by default: an answer older than two of these tells its age."""

MOST_SURE = 6
"""Rows that the list is sure of."""

WIDE = 90
"""Width from which a row also tells the steps and what the run's score may claim."""


def section(data: ScreenData, width: int, rank: int) -> Section:
    """This ledger's runs newest first, then those of the other machines; nothing where one run is all there is."""
    if len(data.runs) < 2 and not data.others:
        return Section("runs", ())
    own = [_row(place, run, data, width) for place, run in enumerate(data.runs)]
    elsewhere = [row for host in data.others for row in _of_host(host, data.now, width)]
    machines = len({*(run.host for run in data.runs if run.host), *(host.name for host in data.others)})
    note = f"on {wording.count(machines, 'machine')}, [ ] change" if machines else "[ ] change"
    # What is live elsewhere is news; of one's own runs the oldest ones are what may be cut.
    rows = (*own[:1], *elsewhere, *own[1:])
    return Section("runs", rows, least=min(2 + len(elsewhere), len(rows), MOST_SURE), rank=rank, note=note)


def _of_host(host: OtherHost, now: float, width: int) -> list[Line]:
    if host.reading.unknown is not None:
        return unknown(host.reading.unknown, now, width)
    if not host.reading.value:
        return [line(span("   no live run is watched ", "dim"), span(f" {clean(host.name)}", "text"))]
    return [_elsewhere(run, host, now, width) for run in host.reading.value]


def _elsewhere(run: HostRun, host: OtherHost, now: float, width: int) -> Line:
    state, word = BANNERS[run.word]
    cause = f" {clean(run.hang_class)}" if run.hang_class else ""
    old = now - host.reading.at
    tail = [
        span(f" {SIGNS[state]} {word.lower()}{cause}", state),
        span(f"  {wording.steps(run.step, run.total_steps)}", "dim"),
        span(f", read {wording.ago(old)}" if old > STALE_SECONDS else "", "dim"),
        span(f"  {ending(host.name, HOST_CELLS)}", "text"),
    ]
    name = ending(run.name, max(width - width_of(tuple(tail)) - 5, 12))
    return line(span(f"   {name} ", "text"), *tail)


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
        tail += [
            span(f"  {wording.steps(run.step, run.total_steps)}  ", "dim"),
            *(standing_spans(run.standing) if run.standing else []),
        ]
    here = run.name == data.run
    # The end of a name is its start time: that tells runs of one experiment apart.
    name = ending(run.name, max(width - width_of(tuple(tail)) - 5, 12))
    look = "strong" if here else "text"
    return line(span(f" {'›' if here else ' '} {name} ", look, f"app.look_at({place})"), *tail)
