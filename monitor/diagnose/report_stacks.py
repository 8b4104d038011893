"""The part of `report.md` that tells where all threads and tasks stand: equal stacks once, the odd ones named.

Pure: a snapshot → Markdown lines, from the tree of `stack_tree`. Bounded: the largest groups, and every outlier first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.detect.frames import short_file
from monitor.diagnose.stack_tree import TASKS, THREADS, StackNode, merged
from monitor.model.snapshot import Frame, Snapshot

MOST_GROUPS = 20
MOST_NAMES = 3
MOST_FRAMES = 6


def stacks(snapshot: Snapshot) -> Iterator[str]:
    """Lines of both trees; none where there are no stacks."""
    for kind in (THREADS, TASKS):
        groups = sorted(_groups(merged(snapshot, kind), (), alone=False), key=lambda group: not group[2])
        if groups:
            yield f"Where the {'threads' if kind == THREADS else 'asyncio tasks'} stand, equal stacks once:"
            yield ""
            yield from (_told(*group) for group in groups[:MOST_GROUPS])
            if len(groups) > MOST_GROUPS:
                yield f"- … {len(groups) - MOST_GROUPS} more groups"
            yield ""


def _groups(
    nodes: Sequence[StackNode], above: tuple[Frame, ...], *, alone: bool
) -> Iterator[tuple[StackNode, tuple[Frame, ...], bool]]:
    """Nodes at which stacks end, with the frames from the outermost one, and whether they are outliers."""
    for node in nodes:
        frames, odd = (*above, *node.frames), alone or node.outlier
        if node.ends:
            yield node, frames, odd
        yield from _groups(node.children, frames, alone=odd)


def _told(node: StackNode, frames: tuple[Frame, ...], odd: bool) -> str:
    count = sum(number for _, number in node.ends)
    path = " → ".join(f"{frame.function} ({short_file(frame.file)}:{frame.line})" for frame in frames[-MOST_FRAMES:])
    does = ", ".join(f"{what} ({number})" if len(node.ends) > 1 else what for what, number in node.ends)
    names = ", ".join(node.processes[:MOST_NAMES])
    more = len(node.processes) - MOST_NAMES
    who = f"{names} and {more} more processes" if more > 0 else names
    path = f"… → {path}" if len(frames) > MOST_FRAMES else path
    return f"- {'**alone** ' if odd else ''}{count} × {path}: {does}; {who}"
