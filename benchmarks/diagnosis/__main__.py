"""Every fault of tests/faults with several seeds, the healthy ones too: one table.

    python -m benchmarks.diagnosis [--seeds 5] [--only a,b]

Scores: the class of the first finding, its process, its line; proved where a proof is due; confidently wrong (a proved
finding of another class, or any on a healthy program); seconds from the fault to the verdict. The peer on the same
faults, `py-spy dump`: its text names the process that was asked for and the line if the culprit's file and line stand
in it; it never names a cause, since it prints stacks and says nothing of them. Programs without Ray: Ray's State API
and dashboard have no record of them, and are not scored here.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from monitor.inspection.threads import find_py_spy
from tests.faults.faults import FAULTS, HEALTHY, Fault
from tests.faults.harness import Outcome, watched


@dataclass(frozen=True)
class Score:
    """One program with one seed."""

    right_class: bool
    right_process: bool
    right_line: bool
    as_due: bool
    confidently_wrong: bool
    peer_line: bool
    seconds: float


def score(fault: Fault, seed: int) -> Score:
    """Run it once."""
    texts: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lsd") as folder:
        outcome = watched(fault.script, seed, Path(folder), lambda pid: texts.append(_py_spy(pid)))
    top = outcome.top
    right = top is not None and top.hang_class in fault.classes
    process = top is not None and top.culprit.pid == outcome.culprit
    line = top is not None and top.file == str(outcome.script) and top.line in outcome.lines
    wrong = any(
        item.hang_class not in fault.classes or item.culprit.pid != outcome.culprit for item in outcome.verdict.findings
    )
    due = top is not None and top.proved is fault.proved
    return Score(right, process, line, due, wrong, _names_line(outcome, texts[0]), outcome.seconds)


def _py_spy(pid: int) -> str:
    done = subprocess.run([*find_py_spy(), "dump", "--nonblocking", "--pid", str(pid)], capture_output=True, text=True)
    return done.stdout


def _names_line(outcome: Outcome, text: str) -> bool:
    return any(f"{outcome.script.name}:{line})" in text for line in outcome.lines)


def healthy(script: str, seed: int) -> int:
    """Proved findings on a healthy program."""
    with tempfile.TemporaryDirectory(prefix="lsd") as folder:
        return len(watched(script, seed, Path(folder)).verdict.findings)


def main() -> None:
    """A row a fault, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    scores: list[Score] = []
    print("| fault | runs | class | process | line | as due | wrong | py-spy: line | cause | s median |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for fault in FAULTS:
        if only and fault.script not in only:
            continue
        rows = [score(fault, seed) for seed in range(arguments.seeds)]
        scores += rows
        print(_row(fault.script, rows), flush=True)
    print(_row("all", scores))
    if not only:
        false = {script: sum(healthy(script, seed) for seed in range(arguments.seeds)) for script in HEALTHY}
        runs = len(HEALTHY) * arguments.seeds
        print(f"\nhealthy but strange: {len(HEALTHY)} programs, {runs} runs, {sum(false.values())} proved", flush=True)


def _row(name: str, rows: list[Score]) -> str:
    counts = [sum(getattr(row, field) for row in rows) for field in ("right_class", "right_process", "right_line")]
    due, wrong, peer = (
        sum(getattr(row, field) for row in rows) for field in ("as_due", "confidently_wrong", "peer_line")
    )
    seconds = statistics.median(row.seconds for row in rows)
    cells = [name, len(rows), *counts, due, wrong, peer, 0, f"{seconds:.1f}"]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
