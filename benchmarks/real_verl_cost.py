"""What watch and hooks cost a real verl run: its step and validation times with both against without, in pairs.

    python -m benchmarks.real_verl_cost [--pairs 2] [--steps 8] [--trainer legacy|v1]

Each pair is two runs of the same settings, one after the other, their order alternating. Steps of the same number are
compared (the first, which warms up, is left out), by the logarithm of their ratio; the mean over all of them stands
with its 95 % bound, which holds as far as the steps' noise is independent. The validations are compared too: how many
rows of a step differ between a watched and an unwatched run, and between two unwatched ones. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import real_verl

TIMES = ("timing_s/step", "timing_s/testing")
STUDENT_95 = {2: 4.30, 4: 2.78, 8: 2.31, 16: 2.12, 32: 2.04}
"""Two-sided 95 % quantiles of Student's t by degrees of freedom; the next smaller one is taken."""


Times = dict[str, dict[int, float]]
Rows = dict[int, dict[str, str]]
"""Outputs by input, of each validated step."""


def run(trainer: str, watched: bool, steps: int) -> tuple[Times, Rows]:
    """Seconds by step, of each kind of time; what the validations dumped."""
    folder = Path(tempfile.mkdtemp(prefix="lsc", dir="/tmp"))
    try:
        with real_verl.real_run(trainer, folder, watched, watched=watched, steps=steps) as started:
            code = started.process.wait(real_verl.START_SECONDS)
        if code:
            raise RuntimeError(f"the run ended with {code}:\n{started.console[-3000:]}")
        return _times(folder / "run" / "metrics"), _rows(folder / "run" / "validation")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rows(validation: Path) -> Rows:
    found: Rows = {}
    for path in validation.glob("*.jsonl"):
        rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        found[int(path.stem)] = {row["input"]: row["output"] for row in rows}
    return found


def differing(one: Rows, other: Rows) -> dict[int, int]:
    """Rows of each step whose outputs are not the same."""
    return {step: sum(one[step][key] != other[step].get(key) for key in one[step]) for step in sorted(one)}


def _times(metrics: Path) -> Times:
    found: Times = {name: {} for name in TIMES}
    for line in next(metrics.rglob("*.jsonl")).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for name in TIMES:
            if name in record["data"] and record["step"] > 1:
                found[name][record["step"]] = record["data"][name]
    return found


def bound(ratios: list[float]) -> dict[str, float]:
    """Mean ratio (geometric) and its 95 % interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.mean(logs)
    freedom = max((known for known in STUDENT_95 if known < len(logs)), default=2)
    half = STUDENT_95[freedom] * statistics.stdev(logs) / math.sqrt(len(logs))
    return {"mean": math.exp(mean), "low": math.exp(mean - half), "high": math.exp(mean + half), "values": len(logs)}


def main() -> int:
    """The pairs, and what they show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--trainer", choices=("legacy", "v1"), default="legacy")
    given = parser.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in TIMES}
    pairs: list[Any] = []
    outputs: dict[bool, list[Rows]] = {True: [], False: []}
    for number in range(given.pairs):
        order = (True, False) if number % 2 else (False, True)
        times = {}
        for watched in order:
            times[watched], rows = run(given.trainer, watched, given.steps)
            outputs[watched].append(rows)
        for name in TIMES:
            both = times[True][name].keys() & times[False][name].keys()
            ratios[name] += [times[True][name][step] / times[False][name][step] for step in sorted(both)]
        pairs.append({name: [sum(times[watched][name].values()) for watched in (True, False)] for name in TIMES})
        print(f"pair {number + 1}: seconds with and without {pairs[-1]}", file=sys.stderr, flush=True)
    unwatched = outputs[False]
    document = {
        "trainer": given.trainer,
        "steps": given.steps,
        "pairs": pairs,
        **{name: bound(values) for name, values in ratios.items() if len(values) > 1},
        "rows_that_differ": [differing(*both) for both in zip(outputs[True], unwatched, strict=True)],
        "between_unwatched": [differing(unwatched[0], other) for other in unwatched[1:]],
    }
    print(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
