"""The tables of the scores: laststep's row a fault, the peers beside it, the healthy programs as one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.diagnosis.score import Score

APART = "held-out"
ON_RAY = "ray"


def print_tables(scores: Sequence[Score]) -> None:
    """All of them, as Markdown."""
    healthy = [score for score in scores if score.part.startswith("healthy")]
    apart = [score for score in scores if score.part.startswith(APART)]
    faults = [score for score in scores if score not in healthy and score not in apart]
    for title, rows in (("faults", faults), ("held-out faults", apart)):
        if rows:
            print(f"\n{title}:\n")
            _faults(rows)
    if faults:
        print("\npeers, as `process / line / cause` named of the runs scored:\n")
        _peers(faults)
        due = sorted(score.seconds for score in faults if score.due and score.proved)
        if due:
            print(f"\nproved where due: p95 {due[math.ceil(0.95 * len(due)) - 1]:.1f} s of {len(due)} runs")
    if healthy:
        wrong = sum(score.confidently_wrong for score in healthy)
        print(
            f"\nhealthy but strange: {len({s.script for s in healthy})} programs, {len(healthy)} runs, {wrong} proved"
        )


def _faults(scores: Sequence[Score]) -> None:
    print("| fault | runs | class | process | line | proved of due | confidently wrong | s median |")
    print("|---|---|---|---|---|---|---|---|")
    for script in dict.fromkeys(score.script for score in scores):
        print(_row(script, [score for score in scores if score.script == script]))
    print(_row("all", scores))


def _row(name: str, rows: Sequence[Score]) -> str:
    lines = [score.right_line for score in rows if score.right_line is not None]
    due = [score.proved and score.right_class for score in rows if score.due]
    cells = [
        name,
        len(rows),
        sum(score.right_class for score in rows),
        sum(score.right_process for score in rows),
        f"{sum(lines)} of {len(lines)}" if len(lines) < len(rows) else sum(lines),
        f"{sum(due)} of {len(due)}" if due else "-",
        sum(score.confidently_wrong for score in rows),
        f"{sorted(score.seconds for score in rows)[len(rows) // 2]:.1f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _peers(scores: Sequence[Score]) -> None:
    print("| | runs | laststep | py-spy dump | Ray's State API | Ray's dashboard |")
    print("|---|---|---|---|---|---|")
    for name, rows in (
        ("without Ray", [score for score in scores if score.part != ON_RAY]),
        ("on Ray", [score for score in scores if score.part == ON_RAY]),
    ):
        if rows:
            process = sum(score.right_process for score in rows)
            line = sum(bool(score.right_line) for score in rows)
            own = f"{process} / {line} / {sum(score.right_class for score in rows)}"
            cells = [_peer(rows, peer) for peer in ("py-spy", "state-api", "dashboard")]
            print(f"| {name} | {len(rows)} | {own} | {' | '.join(cells)} |")


def _peer(rows: Sequence[Score], peer: str) -> str:
    named = [score.peers[peer] for score in rows if peer in score.peers]
    return " / ".join(str(sum(one[what] for one in named)) for what in ("process", "line", "cause")) if named else "-"
