"""A result becomes a score only with its attestation, all its rows and nothing changed meanwhile."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from monitor.model.run import RunState
from monitor.model.score import Standing
from monitor.rerun.facts import LineState, PreflightLine, WeightsFacts
from monitor.rerun.plan import RerunPlan
from monitor.rerun.verify import Outcome, make_score, objections, with_doubts
from quant.verification import document_sha256
from tests.rerun import examples, verl_plans
from tests.rerun.run_folder import RECIPE, SAMPLES, STEP, make_run

pytestmark = pytest.mark.torch


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A true evaluation in this process: plan, run, outcome, and the weights as preflight would know them."""

    plan: RerunPlan
    run: RunState
    outcome: Outcome
    weights: WeightsFacts

    def objections(self, **changes: Any) -> tuple[str, ...]:
        """What verification says, with parts of the outcome replaced."""
        outcome = dataclasses.replace(self.outcome, **changes)
        facts = examples.checkpoint()
        return objections(self.plan, outcome, self.weights, facts, facts, ("d1", "d1"))


def evaluated(folder: Path, *, engine: str = "ENGINE", recipe: dict[str, Any] | None = RECIPE) -> Evaluated:
    """Evaluate the made run's last checkpoint."""
    from quant.evaluation import EvaluationRequest, evaluate, load_engine
    from quant.fingerprint import fingerprint_checkpoint
    from quant.recipe import Recipe

    run = make_run(folder / "run")
    checkpoint, start = folder / "run" / "checkpoints" / f"global_step_{STEP}", folder / "run" / "model"
    request = EvaluationRequest(
        checkpoint=checkpoint,
        start_model=start,
        validation_file=Path(str(run.config.validation_file)),
        recipe=Recipe.from_dict(recipe) if recipe else None,
        step=STEP,
        dump_path=folder / "dump.jsonl",
        metric="acc",
    )
    result = evaluate(load_engine(f"tests.rerun.engines:{engine}"), request, lambda done, total: None)
    outcome = Outcome(
        result.value, result.rows, result.rows_expected, SAMPLES, str(result.dump_path), result.attestation
    )
    plan = examples.plan(
        run=run.name,
        step=STEP,
        recipe=recipe,
        training_recipe=RECIPE,
        recipe_label="mxfp4_w4a4" if recipe else "bf16",
        rows_expected=SAMPLES,
        validation_sha256=run.config.validation_sha256,
    )
    weights = WeightsFacts(fingerprint_checkpoint(checkpoint), fingerprint_checkpoint(start))
    return Evaluated(plan, run, outcome, weights)


def score_of(case: Evaluated, *lines: PreflightLine) -> Any:
    """The score that would be recorded."""
    return make_score(
        case.plan,
        case.run,
        case.outcome,
        lines,
        identity="r1",
        data_sha256=case.plan.validation_sha256,
        now=case.run.started_at + 60,
    )


def test_a_sound_evaluation_is_a_valid_score_with_its_proofs(tmp_path: Path) -> None:
    case = evaluated(tmp_path)
    assert case.objections() == ()
    score = score_of(case)
    assert score.standing == (Standing.VALID,), score.reasons
    provenance = score.provenance
    assert provenance.weights_fingerprint == provenance.checkpoint_fingerprint != provenance.start_fingerprint
    assert (provenance.source, provenance.rerun_id, provenance.weights_step) == ("rerun", "r1", STEP)
    assert provenance.attestation["active_layers"] == provenance.attestation["expected_layers"] == 2


@pytest.mark.parametrize(
    ("inferred", "standing"), [("", Standing.VALID), ("no scale rule is recorded", Standing.UNPROVEN)]
)
def test_a_recipe_that_only_the_runs_own_configuration_tells_counts_where_it_tells_it_in_full(
    tmp_path: Path, inferred: str, standing: Standing
) -> None:
    case = evaluated(tmp_path)
    unwatched = dataclasses.replace(case.run, config=dataclasses.replace(case.run.config, recipe=None))
    plan = dataclasses.replace(case.plan, verl=verl_plans.evaluation(recipe=RECIPE, inferred=inferred))
    score = score_of(dataclasses.replace(case, run=unwatched, plan=plan))
    assert score.standing == (standing,), score.reasons


def test_an_evaluation_in_bf16_on_request_is_a_score_that_says_not_quantized(tmp_path: Path) -> None:
    case = evaluated(tmp_path, recipe=None)
    assert case.objections() == ()
    score = score_of(case)
    assert Standing.NOT_QUANTIZED in score.standing
    assert Standing.VALID not in score.standing
    assert score.provenance.recipe_attested == "none"


def test_products_that_went_around_the_quantized_layers_are_no_score(tmp_path: Path) -> None:
    found = evaluated(tmp_path, engine="SWITCHED_OFF").objections()
    assert any("not used during the evaluation" in sentence for sentence in found), found


def test_a_forged_attestation_is_no_score(tmp_path: Path) -> None:
    case = evaluated(tmp_path)
    changed = {**case.outcome.attestation, "weights_step": 99}
    assert case.objections(attestation=changed)


def test_weights_other_than_the_checkpoints_are_no_score(tmp_path: Path) -> None:
    case = evaluated(tmp_path)
    other = {**case.outcome.attestation, "fingerprint_begin": "x", "fingerprint_end": "x"}
    sealed = {**other, "sha256": document_sha256(other)}
    assert any("not the checkpoint's" in sentence for sentence in case.objections(attestation=sealed))


def test_a_dump_with_other_rows_than_were_counted_is_no_score(tmp_path: Path) -> None:
    assert any("dump has 39 rows" in sentence for sentence in evaluated(tmp_path).objections(dump_rows=39))


def test_files_that_changed_during_the_evaluation_make_no_score(tmp_path: Path) -> None:
    case = evaluated(tmp_path)
    before = examples.checkpoint()
    after = examples.checkpoint(manifest={"data.pt": (11, "cc")})
    arguments = (case.plan, case.outcome, case.weights)
    assert "checkpoint" in objections(*arguments, before, after, ("d1", "d1"))[0]
    assert "validation file" in objections(*arguments, before, before, ("d1", "d2"))[0]


def test_fewer_rows_than_the_runs_own_validation_had_are_partial(tmp_path: Path) -> None:
    case = evaluated(tmp_path)
    longer = dataclasses.replace(case, plan=dataclasses.replace(case.plan, rows_expected=2 * SAMPLES))
    assert Standing.PARTIAL in score_of(longer).standing


def line(name: str, *, doubt: bool) -> PreflightLine:
    """An unknown preflight line."""
    return PreflightLine(name, LineState.UNKNOWN, "it was never recorded", doubt=doubt)


def test_an_unknown_that_matters_takes_valid_away() -> None:
    standing, reasons = with_doubts((Standing.VALID,), (), [line("validation-set", doubt=True)])
    assert standing == (Standing.UNPROVEN,)
    assert "never recorded" in reasons[0]


def test_an_unknown_that_does_not_matter_is_noted_only() -> None:
    standing, reasons = with_doubts(
        (Standing.VALID,), (), [line("unchanged", doubt=False), line("memory", doubt=False)]
    )
    assert standing == (Standing.VALID,)
    assert len(reasons) == 1
