"""The last steps as lines of time: which phase took which share of a step, each named in its own stretch. Pure."""

from __future__ import annotations

from monitor.model.run import PhaseSpan
from monitor.tui import wording
from monitor.tui.cells import Line, Span, cell_len, line, safe, span
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.kept import kept_while_same
from monitor.tui.sections import Section

STEPS = 20
WHOLE = "step"
"""The phase that spans all others: the length of the line, not a stretch of it."""


@kept_while_same(lambda data: (data.live.run.spans if data.live else None,))
def section(data: ScreenData, width: int, rank: int) -> Section:
    """The last steps that ended, newest first, all to the scale of the longest."""
    live = data.live
    by_step: dict[int, list[PhaseSpan]] = {}
    for item in live.run.spans if live else ():
        if item.seconds is not None and item.ended_at is not None:
            by_step.setdefault(item.step, []).append(item)
    steps = [step for step in sorted(by_step, reverse=True) if any(item.phase != WHOLE for item in by_step[step])][
        :STEPS
    ]
    if not steps:
        return Section("last steps", ())
    longest = max(_length(by_step[step]) for step in steps)
    shortened: dict[str, str] = {}
    rows = [_row(step, by_step[step], longest, width, shortened) for step in steps]
    legend = ", ".join(f"{short} {phase}" for short, phase in sorted(shortened.items()))
    note = f"to scale; {legend}" if legend else "phases to scale"
    return Section("last steps", tuple(rows), least=min(3, len(rows)), rank=rank, note=note)


def _length(items: list[PhaseSpan]) -> float:
    whole = [item.seconds or 0.0 for item in items if item.phase == WHOLE]
    return max([*whole, sum(item.seconds or 0.0 for item in items if item.phase != WHOLE)])


def _name(phase: str, room: int, shortened: dict[str, str]) -> str:
    """The phase's name, its words' first letters where it has no room, or nothing; what was shortened is kept."""
    if cell_len(phase) <= room:
        return phase
    short = "".join(word[:1] for word in phase.split("_"))
    if cell_len(short) > room or shortened.get(short, phase) != phase:
        return ""
    shortened[short] = phase
    return short


def _row(step: int, items: list[PhaseSpan], longest: float, width: int, shortened: dict[str, str]) -> Line:
    length = _length(items)
    head = f" step {step:<5}{wording.exact(length):>8} "
    room = max(width - len(head) - 1, 8)
    parts: list[Span | str] = [span(head, "dim")]
    phases = sorted((item for item in items if item.phase != WHOLE), key=lambda item: item.began_at or 0.0)
    at, reached = 0, 0.0
    for index, item in enumerate(phases):
        reached += item.seconds or 0.0
        end = round(room * reached / (longest or 1.0))
        if end > at:
            name = _name(safe(item.phase), end - at - 1, shortened)
            parts.append(span(f"▏{name}{'·' * (end - at - 1 - cell_len(name))}", "bar" if index % 2 else "name"))
            at = max(end, at)
    return line(*parts)
