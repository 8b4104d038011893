"""Scores of a run's validations: only of what was executed, with all that is known of how."""

from __future__ import annotations

from dataclasses import replace

from monitor.ledger.provenance import DUMP_METRIC, UNLOGGED_SECONDS, scores_of
from monitor.model.run import PhaseSpan, RunState, Validation, WeightsUpdate
from monitor.model.score import Score, Standing
from tests.ledger import examples
from tests.ledger.examples import AT_20, AT_29, METRIC, ROWS, START, attestation, short_attestation

NOW = 2000.0
ALL = {0: attestation(START, 0), 20: attestation(AT_20, 20), 29: attestation(AT_29, 29)}


def by_step(run: RunState, attestations: dict[int, dict[str, object]]) -> dict[int, Score]:
    """The run's scores by step."""
    return {score.step: score for score in scores_of(run, attestations, NOW)}


def test_a_sound_run_has_a_valid_final_score_and_others_that_are_not_final() -> None:
    scores = by_step(examples.run(), ALL)
    assert scores[29].standing == (Standing.VALID,), scores[29].reasons
    assert Standing.NOT_FINAL in scores[20].standing and Standing.NOT_FINAL in scores[0].standing
    provenance = scores[29].provenance
    assert (provenance.source, provenance.final, provenance.rows, provenance.rows_expected) == (
        "training",
        True,
        ROWS,
        ROWS,
    )
    assert (provenance.weights_fingerprint, provenance.start_fingerprint) == (AT_29, START)
    assert provenance.dump_path == "/run/validation/29.jsonl"


def test_a_validation_that_was_not_executed_has_no_score() -> None:
    run = examples.run(validations=(Validation(29, True, began_at=1.0, done=131, total=ROWS, scores={}),))
    assert scores_of(run, ALL, NOW) == ()


def test_every_metric_of_a_validation_is_a_score() -> None:
    run = examples.run()
    two = replace(run.validations[2], scores={METRIC: 0.71, "val-core/arithmetic/reward/mean@1": 0.6})
    scores = scores_of(replace(run, validations=(two,)), ALL, NOW)
    assert [(score.metric, score.value) for score in scores] == [
        (METRIC, 0.71),
        ("val-core/arithmetic/reward/mean@1", 0.6),
    ]


def test_a_declared_recipe_without_attestation_is_unproven() -> None:
    assert by_step(examples.run(), {})[29].standing == (Standing.UNPROVEN,)


def test_weights_that_were_attested_at_an_earlier_step_are_stale_whatever_the_engine_calls_them() -> None:
    stuck = {**ALL, 29: attestation(AT_20, 29)}
    score = by_step(examples.run(), stuck)[29]
    assert score.standing == (Standing.STALE_WEIGHTS,)
    assert score.provenance.weights_step == 20


def test_the_start_models_weights_are_known_from_the_validation_before_training() -> None:
    short = {0: short_attestation(START, 0), 29: short_attestation(START, 29)}
    assert Standing.STALE_WEIGHTS in by_step(examples.run(), short)[29].standing


def test_without_attestations_the_weights_are_those_the_engine_took_last_before_the_validation() -> None:
    run = examples.unquantized(
        weights=(WeightsUpdate(28, 1028.0), WeightsUpdate(29, 1029.0), WeightsUpdate(30, 1080.0))
    )
    assert by_step(run, {})[29].provenance.weights_step == 29
    assert by_step(run, {})[29].standing == (Standing.VALID,)
    late = examples.unquantized(weights=(WeightsUpdate(28, 1028.0), WeightsUpdate(29, 1029.5)))
    assert by_step(late, {})[29].standing == (Standing.STALE_WEIGHTS,)


def test_a_timed_weight_update_of_the_step_shows_its_weights_and_none_shows_nothing() -> None:
    sent = (PhaseSpan(29, "update_weights", None, 1029.0, 0.2),)
    assert by_step(examples.unquantized(spans=sent), {})[29].standing == (Standing.VALID,)
    assert by_step(examples.unquantized(), {})[29].standing == (Standing.UNPROVEN,)


def test_a_run_that_says_nothing_of_quantization_is_unproven() -> None:
    run = examples.run()
    silent = replace(run, config=replace(run.config, recipe=None))
    assert Standing.UNPROVEN in by_step(silent, {})[29].standing


def test_a_full_dump_without_logged_metrics_is_kept_under_another_name_once_they_will_not_come() -> None:
    run = examples.run(ended_at=None)
    dumped = replace(run.validations[2], scores={}, dump_mean=0.7, ended_at=NOW - 1)
    alive = replace(run, validations=(dumped,))
    assert scores_of(alive, ALL, NOW) == ()
    assert [score.metric for score in scores_of(alive, ALL, NOW + UNLOGGED_SECONDS)] == [DUMP_METRIC]
    assert [score.value for score in scores_of(replace(alive, ended_at=NOW), ALL, NOW)] == [0.7]


def test_fewer_rows_in_the_dump_than_the_validation_set_has_are_partial() -> None:
    run = examples.run()
    cut = replace(run.validations[2], dump_rows=ROWS - 1)
    assert Standing.PARTIAL in by_step(replace(run, validations=(cut,)), ALL)[29].standing
