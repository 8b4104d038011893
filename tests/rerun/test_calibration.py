"""Which earlier score is repeated first, what its repetition proves, and what follows for the standing."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.ledger.store import Ledger
from monitor.model.run import Checkpoint, RunConfig, RunState
from monitor.model.score import Provenance, Score, Standing
from monitor.rerun import calibration
from monitor.rerun.calibration import Calibrated, Calibration
from monitor.rerun.facts import LineState, PreflightLine
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import start
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.rerun.verify import with_doubts
from tests.rerun.leftovers import nothing_left
from tests.rerun.verl_plans import evaluation

RUN = "small-20260101T000000Z"
METRIC = "val/score/mean"
INFERRED = PreflightLine("recipe-record", LineState.UNKNOWN, "the recipe is inferred", doubt=True)
UNSURE_DATA = PreflightLine("validation-set", LineState.UNKNOWN, "the data was not hashed", doubt=True)


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


def trained(step: int, value: float, dump: str | None = None, **changes: Any) -> Score:
    """A score of the training's own validation."""
    provenance = Provenance(source=changes.pop("source", "training"), dump_path=dump)
    return Score(RUN, step, changes.pop("metric", METRIC), value, 1.0, provenance, **changes)


def state(*complete: int, whole: bool = True) -> RunState:
    """A run with checkpoints of these steps."""
    checkpoints = tuple(Checkpoint(step, f"/run/global_step_{step}", whole) for step in complete)
    return RunState(RUN, RunConfig(total_steps=9), 1.0, checkpoints=checkpoints)


def chosen(ledger: Ledger, run: RunState, *scores: Score, asked: bool = False) -> tuple[Calibration | None, str]:
    """What is repeated before step 9."""
    ledger.save_run(run)
    for score in scores:
        ledger.add_score(score)
    return calibration.choose(ledger, run, 9, METRIC, recipe_asked=asked)


def test_the_newest_earlier_score_with_a_complete_checkpoint_is_repeated(ledger: Ledger) -> None:
    found, why = chosen(ledger, state(3, 6), trained(3, 0.25), trained(6, 0.5), trained(8, 0.75))
    assert found == Calibration(6, "/run/global_step_6", 0.5, None)
    assert "step 6" in why


@pytest.mark.parametrize(
    ("run", "score"),
    [
        (state(), trained(6, 0.5)),
        (state(6, whole=False), trained(6, 0.5)),
        (state(9), trained(9, 0.5)),
        (state(6), trained(6, 0.5, source="rerun")),
        (state(6), trained(6, 0.5, metric="another")),
        (state(6), trained(6, 0.5, standing=(Standing.PARTIAL,))),
    ],
)
def test_nothing_is_repeated_where_the_training_made_no_whole_score_of_a_checkpoint(
    ledger: Ledger, run: RunState, score: Score
) -> None:
    found, why = chosen(ledger, run, score)
    assert found is None
    assert why.startswith("not calibrated")


def test_another_recipe_than_the_trainings_is_not_calibrated(ledger: Ledger) -> None:
    found, why = chosen(ledger, state(6), trained(6, 0.5), asked=True)
    assert (found, "another recipe" in why) == (None, True)


def dump(path: Path, outputs: str) -> str:
    """A dump with one row a letter."""
    path.write_text("".join(json.dumps({"input": str(n), "output": text}) + "\n" for n, text in enumerate(outputs)))
    return str(path)


def judged(tmp_path: Path, value: float, outputs: str, low: float = 0.2, high: float = 0.6) -> Calibrated:
    """An evaluation that gave `value`, where training gave 0.5 with the outputs `abcd`."""
    asked = Calibration(6, "/run/global_step_6", 0.5, dump(tmp_path / "theirs", "abcd"))
    bounds = {"low": low, "high": high, "level": 0.95, "method": "wilson"}
    return calibration.judge(
        asked, {"value": value, "interval": bounds, "dump_path": dump(tmp_path / "ours", outputs)}, ()
    )


def test_the_same_outputs_are_exact(tmp_path: Path) -> None:
    found = judged(tmp_path, 0.5, "abcd")
    assert (found.stands, found.exact) == (True, True)


@pytest.mark.parametrize(("value", "outputs"), [(0.5, "abce"), (0.4, "abcd")])
def test_another_output_or_another_value_within_the_interval_stands_but_is_not_exact(
    tmp_path: Path, value: float, outputs: str
) -> None:
    found = judged(tmp_path, value, outputs)
    assert (found.stands, found.exact) == (True, False)


def test_a_score_outside_the_interval_fails_and_says_both_values(tmp_path: Path) -> None:
    found = judged(tmp_path, 0.1, "wxyz", low=0.05, high=0.2)
    assert not found.stands
    assert "0.5000 in training and 0.1000 again" in found.sentence


def test_an_attestation_that_does_not_hold_fails_it() -> None:
    found = calibration.judge(Calibration(6, "/c", 0.5, None), {"value": 0.5}, ["quantization was off"])
    assert (found.stands, "quantization was off" in found.sentence) == (False, True)


VALID = (Standing.VALID,)


@pytest.mark.parametrize(
    ("lines", "calibrated", "standing"),
    [
        ((), None, VALID),
        ((), Calibrated(True, False, "within"), VALID),
        ((), Calibrated(False, False, "fails"), (Standing.UNPROVEN,)),
        ((INFERRED,), None, (Standing.UNPROVEN,)),
        ((INFERRED,), Calibrated(True, False, "within"), (Standing.UNPROVEN,)),
        ((INFERRED,), Calibrated(True, True, "exact"), VALID),
        ((UNSURE_DATA,), Calibrated(True, True, "exact"), (Standing.UNPROVEN,)),
    ],
)
def test_a_failed_calibration_is_unproven_and_an_exact_one_answers_a_doubt_of_the_recipe_alone(
    lines: tuple[PreflightLine, ...], calibrated: Calibrated | None, standing: tuple[Standing, ...]
) -> None:
    found, reasons = with_doubts(VALID, (), lines, calibrated)
    assert found == standing
    assert calibrated is None or calibrated.sentence in reasons


def made(ledger: Ledger, folder: Path, engine: str, *, own_process: bool) -> RerunPlan:
    """A plan whose run was validated at an earlier step, by the small engine in the run's own recipe."""
    from monitor.sources import checkpoints
    from quant.evaluation import EvaluationRequest, evaluate
    from quant.recipe import Recipe
    from tests.rerun.engines import ENGINE
    from tests.rerun.run_folder import EARLIER, RECIPE, STEP, make_run

    run = make_run(folder)
    there = {step: folder / "checkpoints" / f"global_step_{step}" for step in (EARLIER, STEP)}
    run = dataclasses.replace(run, checkpoints=tuple(Checkpoint(step, str(path), True) for step, path in there.items()))
    ledger.save_run(run)
    ledger.save_checkpoint_manifest(RUN, STEP, checkpoints.manifest(there[STEP]))
    data, own = Path(str(run.config.validation_file)), folder / "validation" / f"{EARLIER}.jsonl"
    request = EvaluationRequest(there[EARLIER], folder / "model", data, Recipe.from_dict(RECIPE), EARLIER, own, METRIC)
    value = evaluate(ENGINE, request, lambda _done, _total: None).value
    ledger.add_score(trained(EARLIER, value, str(own)))
    plan = dataclasses.replace(make_plan(ledger, RUN), engine=f"tests.rerun.engines:{engine}")
    if not own_process:
        return plan
    reward = folder / "data" / "reward.py"
    reward.write_text("def compute_score(**_named):\n    return 1.0\n")
    verl = evaluation(engine=plan.engine, reward=f"{reward}:compute_score")
    return dataclasses.replace(plan, verl=verl, python=sys.executable)


@pytest.mark.real
@pytest.mark.torch
@pytest.mark.parametrize("own_process", [True, False])
def test_the_trainings_earlier_score_is_repeated_first_output_by_output(
    ledger: Ledger, own_folders: Path, own_process: bool
) -> None:
    plan = made(ledger, own_folders / "of-the-run", "ENGINE", own_process=own_process)
    *_, last = watch_rerun(ledger, start(plan, ledger))
    assert last.status == "done", last.error
    (score,) = [score for score in ledger.scores(RUN) if score.provenance.source == "rerun"]
    assert score.step == plan.step
    assert any("with every output the same" in reason for reason in score.reasons)
    document = json.loads((Path(plan.out_directory) / "calibration.json").read_text())
    assert (document["stands"], document["exact"]) == (True, True)
    assert own_process or nothing_left(plan)


@pytest.mark.real
@pytest.mark.torch
def test_an_engine_that_differs_from_the_trainings_gives_an_unproven_score_that_says_so(
    ledger: Ledger, own_folders: Path
) -> None:
    plan = made(ledger, own_folders / "of-the-run", "STINGY", own_process=True)
    *_, last = watch_rerun(ledger, start(plan, ledger))
    assert last.status == "done", last.error
    (score,) = [score for score in ledger.scores(RUN) if score.provenance.source == "rerun"]
    assert Standing.UNPROVEN in score.standing
    assert any("the calibration fails" in reason for reason in score.reasons)
