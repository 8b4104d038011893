"""The Run screen: three answers first (alive, how far, trustworthy), then what they rest on, as room allows.

Layout only; the sections are in `run_sections.py` and `machine_sections.py`. Wider terminals set them in columns.
"""

from __future__ import annotations

from monitor.tui import summary
from monitor.tui.cells import Line, Span, columns, span, wrap
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens import machine_sections as machine
from monitor.tui.screens import run_sections as sections
from monitor.tui.screens import runs_list, timeline
from monitor.tui.screens.common import Room, empty
from monitor.tui.sections import Section, pack
from monitor.tui.theme import SIGNS

TWO_COLUMNS = 110
THREE_COLUMNS = 180
LABEL = 10
TALL = 45
"""Rows from which GPUs have a line each in one column."""
LOG_LEAST = 4
MOST_RUNS = 8
"""Rows of the list of runs that the score's curve leaves free, with their title."""


def lines(data: ScreenData, room: Room) -> list[Line]:
    """The whole body, at most `room.height` lines."""
    if data.run is None:
        hint = "No run is in the ledger yet. Start one (laststep demo), or watch one that runs: laststep watch"
        return empty(data.ledger_problem or hint, room.width)
    top = questions(data, room.width, 3 if room.height > 30 else 2)
    height = room.height - len(top)
    if data.live is None:
        return [*top, *_recorded(data, room.width, height)]
    if room.width >= TWO_COLUMNS:
        return [*top, *_in_columns(data, room.width, height)]
    return [*top, *_stacked(data, room.width, height)]


def questions(data: ScreenData, width: int, rows: int) -> list[Line]:
    """Alive, how far, trustworthy: a sign, a word, a sentence each."""
    answers = [("alive", summary.alive(data)), ("how far", summary.far(data)), ("score", summary.trust(data))]
    block: list[Line] = []
    for label, answer in answers:
        strong = f"{answer.state}-strong" if answer.state != "info" else "strong"
        head = (
            Span(f" {label:<{LABEL - 2}} ", "dim"),
            span(f"{SIGNS[answer.state]} ", answer.state),
            span(f"{answer.word}  ", strong),
        )
        wrapped = wrap(answer.sentence, width - 1, first=head, indent=" " * (LABEL + 2))
        block += _at_most(wrapped, rows)
    for notice in data.notices[-1:]:
        block += _at_most(wrap(f"! ledger: {notice}", width - 2, "warn", first=(Span(" "),)), 2)
    if data.ledger_problem:
        block += _at_most(wrap(f"? ledger: {data.ledger_problem}", width - 2, "unknown", first=(Span(" "),)), 2)
    return block


def _at_most(wrapped: list[Line], rows: int) -> list[Line]:
    if len(wrapped) <= rows:
        return wrapped
    last = wrapped[rows - 1]
    return [*wrapped[: rows - 1], (*last[:-1], last[-1]._replace(text=last[-1].text.rstrip() + " …"))]


def _recorded(data: ScreenData, width: int, height: int) -> list[Line]:
    """A run that no watch of ours has seen live: what the ledger holds of it."""
    blocks = [
        sections.validation(data, width, rank=0),
        sections.curve(data, width, 8, rank=2),
        sections.findings(data, width, rank=1),
        runs_list.section(data, width, rank=3),
    ]
    return pack(blocks, width, height)


def _stacked(data: ScreenData, width: int, height: int) -> list[Line]:
    blocks = [
        sections.validation(data, width, rank=0),
        sections.findings(data, width, rank=1),
        sections.checkpoints(data, rank=7),
        sections.phases(data, width, rank=3),
        timeline.section(data, width, rank=8),
        machine.gpus(data, width, rank=2, summed=height < TALL),
        machine.engines(data, width, rank=6),
        sections.notices(data, width, rank=4),
        machine.processes(data, width, rank=5),
        machine.loops(data, width, rank=6),
        machine.sources(data, width, rank=2),
        runs_list.section(data, width, rank=9),
        sections.log(data, height, rank=2),
    ]
    return pack(blocks, width, height)


def _in_columns(data: ScreenData, width: int, height: int) -> list[Line]:
    log = sections.log(data, height, rank=0)
    log_rows = min(max(LOG_LEAST + 1, height // 4), log.full if log.lines else 0)
    upper = height - log_rows
    count = 3 if width >= THREE_COLUMNS else 2
    each = (width - 2 * (count - 1)) // count
    last = width - (each + 2) * (count - 1)
    validation = sections.validation(data, each, rank=0)
    runs = runs_list.section(data, each, rank=4)
    curve_rows = min(max(upper - validation.full - min(runs.full, MOST_RUNS) - 2, 4), 16) if count == 3 else 6
    scores: list[Section] = [validation, sections.curve(data, each, curve_rows, rank=2)]
    steps = timeline.section(data, last if count == 2 else each, rank=4)
    work = [
        sections.findings(data, each, rank=1, sentence_rows=6 if count == 3 else 3),
        sections.phases(data, each, rank=2),
        *([steps] if count == 3 else []),
        sections.checkpoints(data, rank=3),
        sections.notices(data, each, rank=2),
    ]
    hardware = [
        machine.gpus(data, last, rank=1),
        machine.engines(data, last, rank=2),
        machine.processes(data, last, rank=2),
        machine.loops(data, last, rank=3),
        machine.sources(data, last, rank=0),
        *([steps, runs] if count == 2 else []),
    ]
    if count == 3:
        left = columns(pack([*scores, runs], each, upper), pack(work, each, upper), each, 2 * each + 2)
        body = columns(left, pack(hardware, last, upper), 2 * each + 2, width)
    else:
        body = columns(pack([*scores, *work], each, upper), pack(hardware, last, upper), each, width)
    return [*body, *pack([log], width, height - len(body))]
