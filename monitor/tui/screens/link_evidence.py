"""What a link of the chain of waits rests on: the evidence and the stacks that name the same place, call or process.

Pure. Chosen by the words both share (a file's line, a call's qualified name, a pid), which is said in the heading: a
link without a namesake is told to have none, rather than given the finding's evidence as if it were its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from monitor.model.fact import Evidence
from monitor.model.finding import Finding, WaitLink
from monitor.tui import wording
from monitor.tui.bundle_stacks import Stacks
from monitor.tui.cells import Line, span, wrap

if TYPE_CHECKING:
    from monitor.diagnose.stack_tree import StackNode

_PLACE = re.compile(r"[\w.<>-]+\.\w+:\d+")
_CALL = re.compile(r"\b[A-Za-z_]\w*\.[A-Za-z_]\w*\b(?!:\d)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PID = re.compile(r"\bpid \d+")
MOST_STACKS = 3
MOST_FRAMES = 6


class Names(NamedTuple):
    """What a text names: lines of files, calls, processes."""

    places: frozenset[str]
    calls: frozenset[str]
    pids: frozenset[str]

    @property
    def told(self) -> str:
        """All of them, for a heading."""
        return ", ".join([*sorted(self.calls), *sorted(self.places), *sorted(self.pids)])


def names_in(text: str) -> Names:
    """The names in a text. A file's line is not also a call."""
    places = frozenset(_PLACE.findall(text))
    rest = _PLACE.sub(" ", text)
    return Names(places, frozenset(_CALL.findall(rest)), frozenset(_PID.findall(rest)))


def _tails(names: Names) -> frozenset[str]:
    """The calls without their class, where that still is a name of its own: `update_weights`, but not `run`."""
    return frozenset(tail for call in names.calls if "_" in (tail := call.rpartition(".")[2]))


def lines(link: WaitLink, finding: Finding, stacks: Stacks | None, now: float, width: int) -> list[Line]:
    """The evidence of one link, as it is shown below it."""
    names = names_in(f"{link.waiter} {link.waits_for} {link.why}")
    bar = span("    ┃ ", "info")
    block: list[Line] = []

    def add(text: str, style: str, lead: str = "") -> None:
        first = (bar, span(lead, "info"))
        indented = wrap(text, width - 8, style, first=first, indent=" " * (6 + len(lead)))
        block.extend(row if number == 0 else _barred(row) for number, row in enumerate(indented))

    add(f"what names {names.told or 'nothing'}:", "dim")
    words = _tails(names)
    items = [
        item
        for item in finding.evidence
        if _shared(names, _of_evidence(item)) or words & frozenset(_WORD.findall(item.what))
    ]
    for item in items:
        seen = f"  ({wording.ago(now - item.at)})" if item.at else ""
        add(f"{item.what}{seen}", "text", "▸ ")
        if item.file:
            add(f"{item.file}:{item.line}" if item.line else item.file, "name", "  ")
    found = _stacks_of(names, stacks)
    for text in found:
        add(text, "text", "≡ ")
    if not items and not found:
        add("no evidence names this link alone; all that the finding rests on is listed under evidence", "unknown")
    return block


def _barred(row: Line) -> Line:
    """A wrapped row with the bar in the place of its first cells."""
    first, *rest = row
    return (span("    ┃ ", "info"), first._replace(text=first.text[6:]), *rest)


def _of_evidence(item: Evidence) -> Names:
    place = f" {os.path.basename(item.file)}:{item.line}" if item.file and item.line else ""
    return names_in(item.what + place)


def _shared(one: Names, other: Names) -> bool:
    """A place or a call in common; processes count only where one of them names nothing finer."""
    finer = one.places & other.places or one.calls & other.calls
    coarse = not (other.places or other.calls) and one.pids & other.pids
    return bool(finer or coarse)


def _stacks_of(names: Names, stacks: Stacks | None) -> list[str]:
    """The stacks that pass through a place the link names; else those of its processes, by their ends."""
    if stacks is None:
        return []
    paths = [path for node in (*stacks.tasks, *stacks.threads) for path in _paths(node, ())]
    through = [path for path in paths if names.places & {_place(frame) for node in path for frame in node.frames}]
    own = [path for path in paths if any(pid in process for process in path[-1].processes for pid in names.pids)]
    return [_told(path) for path in (through or own)[:MOST_STACKS]]


def _paths(node: StackNode, above: tuple[StackNode, ...]) -> Iterator[tuple[StackNode, ...]]:
    path = (*above, node)
    if not node.children:
        yield path
    for child in node.children:
        yield from _paths(child, path)


def _place(frame: object) -> str:
    return f"{os.path.basename(getattr(frame, 'file', ''))}:{getattr(frame, 'line', 0)}"


def _told(path: tuple[StackNode, ...]) -> str:
    frames = [frame for node in path for frame in node.frames][-MOST_FRAMES:]
    who = path[-1].processes
    where = who[0] if len(who) == 1 else f"{len(who)} processes"
    return f"{path[-1].count} × {' › '.join(f'{frame.function} {_place(frame)}' for frame in frames)}, in {where}"
