"""Calibration: the evaluation first repeats a score that the training itself made, of an earlier step whose checkpoint
is there.

Where it does, the difference between this evaluation and the trainer's is known to be none that shows. Covers choosing
that score, judging what came out, and what follows for the standing. A score in the interval says little of the recipe
(an unquantized evaluation may lie in it too), so an inferred recipe counts as calibrated only where every output of the
training's own dump is repeated. Evaluates nothing itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.model.run import RunState
from monitor.model.score import Score, Standing

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

FOLDER = "calibration"
"""Below the rerun's folder."""
DIGITS = 1e-9
BY_TRAINER = "not calibrated: verl itself evaluates, and its start is too dear to be made twice"
RECIPE_LINES = frozenset({"recipe", "recipe-record"})
"""Preflight lines whose doubt an exact calibration answers."""


@dataclass(frozen=True)
class Calibration:
    """The score that is repeated first."""

    step: int
    checkpoint: str
    value: float
    """What the training's own validation gave."""
    dump_path: str | None
    """The training's own outputs of that validation."""


@dataclass(frozen=True)
class Calibrated:
    """What came of it."""

    stands: bool
    """The training's score lies within the interval of the repeated one."""
    exact: bool
    """Every input and output is the training's own."""
    sentence: str


def choose(
    ledger: Ledger, state: RunState, step: int, metric: str, *, recipe_asked: bool
) -> tuple[Calibration | None, str]:
    """The newest earlier score that can be repeated, or None; and why, as a sentence."""
    if recipe_asked:
        return None, "not calibrated: another recipe than the training's was asked for"
    paths = {item.step: item.path for item in state.checkpoints if item.complete and item.step < step}
    scores = [score for score in ledger.scores(state.name) if _usable(score, metric)]
    known = sorted((score for score in scores if score.step in paths), key=lambda score: score.step)
    if not known:
        return None, "not calibrated: no earlier score of the training whose checkpoint is complete"
    score = known[-1]
    found = Calibration(score.step, paths[score.step], score.value, _dump(score, state))
    return found, f"calibrated first on the training's own score of step {score.step}, {score.value:.4f}"


def _usable(score: Score, metric: str) -> bool:
    whole = Standing.PARTIAL not in score.standing and Standing.STALE_WEIGHTS not in score.standing
    return score.provenance.source == "training" and score.metric == metric and whole


def _dump(score: Score, state: RunState) -> str | None:
    if score.provenance.dump_path:
        return score.provenance.dump_path
    folder = state.config.validation_data_dir
    return str(Path(folder) / f"{score.step}.jsonl") if folder else None


def judge(asked: Calibration, document: dict[str, Any], objections: Iterable[str]) -> Calibrated:
    """Whether the evaluation in `document` repeats the training's score. Reads both dumps."""
    found = list(objections)
    if found:
        return Calibrated(False, False, f"the calibration on step {asked.step} does not stand: {found[0]}")
    value, bounds = float(document["value"]), document.get("interval")
    again = f"step {asked.step} gave {asked.value:.4f} in training and {value:.4f} again"
    if _same_outputs(asked.dump_path, document.get("dump_path")) and abs(value - asked.value) < DIGITS:
        return Calibrated(True, True, f"calibrated: {again}, with every output the same")
    if bounds is None:
        return Calibrated(False, False, f"not calibrated: {again}, and too few rows tell an interval")
    text = f"{100 * bounds['level']:.0f} % interval {bounds['low']:.4f} to {bounds['high']:.4f}"
    within = bounds["low"] - DIGITS <= asked.value <= bounds["high"] + DIGITS
    if within:
        return Calibrated(True, False, f"calibrated: {again}, within its {text}; the outputs are not all the same")
    sentence = f"the calibration fails: {again}, outside its {text}; this evaluation differs from the training's own"
    return Calibrated(False, False, sentence)


def _same_outputs(theirs: str | None, ours: str | None) -> bool:
    rows = [_outputs(path) for path in (theirs, ours)]
    return rows[0] is not None and rows[0] == rows[1]


def _outputs(path: str | None) -> Counter[tuple[str, str]] | None:
    """Each row's input and output, counted; None where there is no dump that can be read, or an empty one."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream if line.strip()]
        return Counter((str(row["input"]), str(row["output"])) for row in rows) or None
    except (OSError, ValueError, KeyError, TypeError):
        return None
