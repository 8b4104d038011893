"""Merged stacks as a tree of lines: how many stand where, equal ones once, the odd one out named. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from monitor.tui import wording
from monitor.tui.bundle_stacks import Stacks
from monitor.tui.cells import Line, Span, fit, line, rule, span
from monitor.tui.screens.common import sentence
from monitor.tui.theme import SIGNS

if TYPE_CHECKING:
    from monitor.diagnose.stack_tree import StackNode

FEW = 2
"""So many processes are named; more are counted."""


def lines(stacks: Stacks | None, bundle: str | None, now: float, width: int) -> list[Line]:
    """The trees of tasks and threads; one line where there is nothing to show yet."""
    if bundle is None:
        return []
    if stacks is None or stacks.bundle != bundle:
        return [rule("stacks", width), line(span("   being read from the bundle …", "dim")), ()]
    if stacks.problem:
        return [rule("stacks", width), *sentence("unknown", f"unknown, because {stacks.problem}", width), ()]
    block: list[Line] = []
    age = f"snapshot {wording.ago(now - stacks.taken_at)}"
    for title, nodes in (("asyncio tasks", stacks.tasks), ("threads", stacks.threads)):
        if nodes:
            total = sum(node.count for node in nodes)
            block.append(rule(f"{title}: {total} in {wording.count(len(nodes), 'place')}", width, age))
            for node in nodes:
                block += _node(node, width, "")
    for text in stacks.missing:
        block += sentence("unknown", f"no stack of {text}", width)
    return [*block, ()] if block else []


def _node(node: StackNode, width: int, indent: str) -> list[Line]:
    counted = f"{node.count:>4} × " if not indent else f"{node.count} × "
    odd = span(f"{SIGNS['warn']} alone ", "warn") if node.outlier else Span("")
    names = node.processes
    who = ", ".join(names) if len(names) <= FEW else f"{len(names)} processes"
    block: list[Line] = []
    for number, frame in enumerate(node.frames):
        place = f"{os.path.basename(frame.file)}:{frame.line}" if frame.line else os.path.basename(frame.file)
        head = counted if number == 0 else " " * len(counted)
        text = (span(f"{indent}{head}", "number"), odd if number == 0 else Span(""), span(frame.function, "strong"))
        block.append(fit(line(*text, span(f"  {place}", "name")), width - 1))
    pad = indent + " " * len(counted)
    if not indent or len(node.children) == 0:
        block.append(fit(line(span(f"{pad}in {who}", "dim")), width - 1))
    for does, count in node.ends:
        block.append(
            fit(line(span(f"{pad}▸ {does}", "info"), span(f"  {count} ×" if count > 1 else "", "dim")), width - 1)
        )
    for child in node.children:
        block += _node(child, width, f"{indent}  ├ ")
    return block
