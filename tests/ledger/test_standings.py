"""What lacks proof is never `valid`: a table of cases, and the property over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ledger.standings import judge_run, judge_score
from monitor.model.run import RunState, Validation
from monitor.model.score import Provenance, Score, Standing
from tests.ledger import examples
from tests.ledger.examples import AT_20, AT_29, RECIPE, ROWS, RUN, START, attestation, layer, sealed, short_attestation

VALID, NOT_FINAL, MISSING = Standing.VALID, Standing.NOT_FINAL, Standing.MISSING_FINAL
NOT_QUANTIZED, STALE, UNPROVEN, PARTIAL = (
    Standing.NOT_QUANTIZED,
    Standing.STALE_WEIGHTS,
    Standing.UNPROVEN,
    Standing.PARTIAL,
)


def words(score: Score, run: RunState | None = None) -> tuple[Standing, ...]:
    """The standing alone."""
    return judge_score(score, run or examples.run())[0]


def test_a_final_score_with_all_its_proofs_is_valid_and_cites_them() -> None:
    standing, reasons = judge_score(examples.score(), examples.run())
    assert standing == (VALID,)
    for cited in ("step 29", f"{ROWS} of {ROWS} rows", "/run/validation/29.jsonl", AT_29[:12], "2/2 linear layers"):
        assert cited in reasons[0]


def test_the_engines_own_count_in_the_log_proves_quantization_too() -> None:
    assert words(examples.score(attestation=short_attestation())) == (VALID,)


def test_both_forms_of_one_attestation_joined_prove_it_too() -> None:
    assert words(examples.score(attestation={**short_attestation(), **attestation()})) == (VALID,)
    assert words(examples.score(attestation={**attestation(), **short_attestation()})) == (VALID,)


def test_an_unquantized_run_needs_no_attestation() -> None:
    assert words(examples.unquantized_score(), examples.unquantized()) == (VALID,)


WITHOUT_ONE_LAYER = attestation(found=["layers.0"], active_layers=1)
LAYER_NOT_CALLED = attestation(layers={"layers.0": layer(), "layers.1": layer(calls=0)})
ACTIVATIONS_PLAIN = attestation(layers={"layers.0": layer(), "layers.1": layer(activations_match=False)})
ANOTHER_RULE = attestation(recipe={**RECIPE, "scale_rule": "floor"})
CHANGED_LATER = {**attestation(), "weights_step": 28}
WEIGHTS_MOVED = attestation(fingerprint_begin=AT_20)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": ROWS - 1}, (PARTIAL,)),
        ({"rows": 0}, (PARTIAL,)),
        ({"rows": ROWS + 1}, (UNPROVEN,)),
        ({"rows": None}, (UNPROVEN,)),
        ({"rows_expected": None}, (UNPROVEN,)),
        ({"final": False}, (NOT_FINAL,)),
        ({"weights_fingerprint": START}, (STALE,)),
        ({"weights_step": 20}, (STALE,)),
        ({"weights_step": None}, (UNPROVEN,)),
        ({"checkpoint_fingerprint": AT_20}, (STALE,)),
        ({"recipe_attested": None, "attestation": {}}, (UNPROVEN,)),
        ({"attestation": {}}, (UNPROVEN,)),
        ({"recipe_attested": "none", "attestation": attestation(recipe=None, found=[])}, (NOT_QUANTIZED,)),
        ({"attestation": WITHOUT_ONE_LAYER}, (UNPROVEN,)),
        ({"attestation": LAYER_NOT_CALLED}, (UNPROVEN,)),
        ({"attestation": ACTIVATIONS_PLAIN}, (UNPROVEN,)),
        ({"attestation": ANOTHER_RULE}, (UNPROVEN,)),
        ({"attestation": CHANGED_LATER}, (UNPROVEN,)),
        ({"attestation": WEIGHTS_MOVED}, (UNPROVEN,)),
        ({"attestation": attestation(expected=[], found=[], layers={})}, (UNPROVEN,)),
        ({"attestation": sealed({"schema": 1, "layers": 3})}, (UNPROVEN,)),
        ({"attestation": short_attestation(active_layers=1)}, (UNPROVEN,)),
        ({"attestation": short_attestation(active_layers=0, expected_layers=0)}, (UNPROVEN,)),
        ({"attestation": short_attestation(calls=0)}, (UNPROVEN,)),
        ({"attestation": short_attestation(scheme="W4A16")}, (UNPROVEN,)),
        ({"attestation": {"registered": "hooks on 196"}}, (UNPROVEN,)),
        ({"rows": 3, "weights_step": 20, "attestation": {}}, (PARTIAL, STALE, UNPROVEN)),
    ],
)
def test_what_is_not_proved_is_said_and_not_valid(changes: dict[str, Any], expected: tuple[Standing, ...]) -> None:
    standing, reasons = judge_score(examples.score(**changes), examples.run())
    assert standing == expected
    assert all(any(reason.startswith(f"{word.value}: ") for reason in reasons) for word in standing)


@pytest.mark.parametrize("step", [0, 20, 28])
def test_a_score_before_the_last_step_is_not_final_however_well_proved(step: int) -> None:
    standing, reasons = judge_score(examples.score(step, weights_step=step, final=None), examples.run())
    assert standing == (NOT_FINAL,)
    assert f"of step {step}, the run's last is 29" in reasons[0]


def test_a_score_past_the_last_step_or_of_an_unknown_last_step_is_unproven() -> None:
    assert UNPROVEN in words(examples.score(30, weights_step=30))
    unknown = examples.run(total_steps=None)
    assert words(examples.score(), replace(unknown, config=replace(unknown.config, total_steps=None))) == (UNPROVEN,)


def test_a_run_that_says_nothing_of_quantization_has_no_valid_score() -> None:
    silent = examples.run()
    silent = replace(silent, config=replace(silent.config, recipe=None, quantized=None))
    score = examples.unquantized_score(recipe_declared=None)
    assert words(score, silent) == (UNPROVEN,)


def test_an_unquantized_run_evaluated_quantized_is_unproven() -> None:
    assert words(examples.unquantized_score(recipe_attested="mxfp4_w4a4"), examples.unquantized()) == (UNPROVEN,)


def test_stale_weights_of_an_unquantized_run_are_seen_too() -> None:
    score = examples.unquantized_score(weights_fingerprint=START)
    assert words(score, examples.unquantized()) == (STALE,)


def test_a_value_that_is_no_number_and_a_score_of_another_run_are_unproven() -> None:
    assert words(examples.score(value=float("nan"))) == (UNPROVEN,)
    assert words(replace(examples.score(), run="another")) == (UNPROVEN,)


@pytest.mark.parametrize(("word", "expected"), [("stale-weights", STALE), ("partial", PARTIAL), ("missing", UNPROVEN)])
def test_what_the_guard_saw_from_inside_counts_against_the_runs_own_final_score(word: str, expected: Standing) -> None:
    run = examples.run(guard={"final_validation": word, "reason": "the weights were old"})
    standing, reasons = judge_score(examples.score(), run)
    assert standing == (expected,)
    assert "the weights were old" in reasons[0]
    assert words(examples.score(source="rerun"), run) == (VALID,)


def test_a_name_without_its_recipe_in_full_is_unproven() -> None:
    run = examples.run()
    unnamed = replace(run, config=replace(run.config, recipe=None, quantized=None))
    assert words(examples.score(), unnamed) == (UNPROVEN,)


ATTESTATIONS = st.sampled_from(
    [
        {},
        attestation(),
        short_attestation(),
        WITHOUT_ONE_LAYER,
        LAYER_NOT_CALLED,
        ANOTHER_RULE,
        CHANGED_LATER,
        WEIGHTS_MOVED,
        attestation(recipe=None, found=[]),
        short_attestation(active_layers=1),
    ]
)
PROOFS = (attestation(), short_attestation())


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(["training", "rerun"]),
    "final": st.sampled_from([None, False]),
    "rows": st.sampled_from([None, 0, ROWS - 1, ROWS + 1]),
    "rows_expected": st.sampled_from([None, ROWS + 1]),
    "recipe_declared": st.sampled_from([None, "none", "mxfp4_w4a4"]),
    "recipe_attested": st.sampled_from([None, "none", "W4A16"]),
    "weights_step": st.sampled_from([None, 0, 20, 29]),
    "weights_fingerprint": st.sampled_from([None, START, AT_20, AT_29]),
    "checkpoint_fingerprint": st.sampled_from([None, START, AT_20, AT_29]),
    "start_fingerprint": st.sampled_from([None, START, AT_29]),
    "attestation": ATTESTATIONS,
}


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """A sound score with up to three things changed, so that whole proofs and broken ones are both common."""
    changed = draw(st.sets(st.sampled_from(sorted(CHANGES)), max_size=3))
    sound = draw(st.sampled_from([examples.score(), examples.unquantized_score()]))
    provenance: Provenance = replace(sound.provenance, **{name: draw(CHANGES[name]) for name in sorted(changed)})
    return replace(sound, step=draw(st.sampled_from([29, 29, 29, 0, 20, 30])), provenance=provenance)


@st.composite
def runs(draw: st.DrawFn) -> RunState:
    """Runs that say all or less of themselves."""
    state = examples.run(total_steps=draw(st.sampled_from([None, 29])))
    state = replace(state, guard=draw(st.sampled_from([{}, {"final_validation": "partial"}])))
    recipe = draw(st.sampled_from([None, RECIPE]))
    config = replace(
        state.config, recipe=recipe, quantized=draw(st.sampled_from([None, False, True])), total_steps=None
    )
    return replace(state, config=config)


@settings(max_examples=400)
@given(scores(), runs())
def test_nothing_that_lacks_a_proof_is_ever_valid(score: Score, run: RunState) -> None:
    standing, reasons = judge_score(score, run)
    assert standing and reasons
    assert MISSING not in standing
    if VALID not in standing:
        return
    known = score.provenance
    assert standing == (VALID,)
    assert run.final_step == score.step == known.weights_step
    assert known.rows == known.rows_expected == ROWS
    assert known.final is not False
    assert known.weights_fingerprint is None or known.weights_fingerprint != known.start_fingerprint
    assert known.checkpoint_fingerprint is None or known.checkpoint_fingerprint == known.weights_fingerprint
    if run.config.recipe is not None:
        assert known.attestation in PROOFS
    else:
        assert run.config.quantized is False or known.recipe_declared == "none"
        assert known.recipe_attested in (None, "none")


def unfinished(**changes: Any) -> RunState:
    """The run without its final validation, which began and saw 131 samples."""
    state = examples.run()
    began = Validation(29, True, began_at=1029.0, done=131, total=ROWS)
    return replace(state, validations=(*state.validations[:2], began), **changes)


def test_a_run_that_ended_or_hangs_without_its_final_validation_lacks_it() -> None:
    for run in (unfinished(ended_how="failed"), unfinished(ended_at=None, ended_how=None, hung_since=1090.0)):
        standing, reasons = judge_run(run, [])
        assert standing == (MISSING,)
        assert "131 of 256 samples" in reasons[0]
        assert f"laststep rerun {RUN}" in reasons[0]


def test_a_live_healthy_run_lacks_nothing_and_its_score_of_step_20_is_not_final() -> None:
    run = replace(examples.run(ended_at=None, ended_how=None, step=21), validations=examples.run().validations[:2])
    score = examples.score(20, weights_step=20, weights_fingerprint=AT_20, final=False)
    assert judge_run(run, [score])[0] == ()
    assert words(score, run) == (NOT_FINAL,)


def test_a_run_whose_final_validation_was_executed_lacks_nothing() -> None:
    assert judge_run(examples.run(), [])[0] == ()
    assert judge_run(unfinished(), [examples.score()])[0] == ()


def test_a_valid_rerun_fills_what_was_missing_and_another_one_does_not() -> None:
    rerun = examples.score(source="rerun", rerun_id="rerun-1")
    standing, reasons = judge_run(unfinished(), [replace(rerun, standing=(VALID,))])
    assert standing == ()
    assert "filled by rerun-1" in reasons[0]
    assert judge_run(unfinished(), [replace(rerun, standing=(NOT_QUANTIZED,))])[0] == (MISSING,)
    elsewhere = replace(rerun, run="another", standing=(VALID,))
    assert judge_run(unfinished(), [elsewhere])[0] == (MISSING,)


def test_a_run_that_never_validates_says_why_its_final_score_is_missing() -> None:
    state = examples.run()
    run = replace(state, validations=(), config=replace(state.config, test_freq=-1))
    standing, reasons = judge_run(run, [])
    assert standing == (MISSING,)
    assert "test_freq is -1" in reasons[0]


def test_a_run_of_unknown_length_is_not_said_to_lack_anything() -> None:
    state = examples.run(total_steps=None, validations=())
    run = replace(state, config=replace(state.config, total_steps=None))
    standing, reasons = judge_run(run, [])
    assert standing == ()
    assert "last step is not known" in reasons[0]


@pytest.mark.parametrize("kind", ["quantized", "unquantized"])
def test_a_score_whose_weights_were_noisy_never_stands_and_the_noise_is_named(kind: str) -> None:
    noise = {"active": True, "sigma": 0.02, "schedule": "qerl"}
    noisy = sealed({**attestation(), "noise": noise})
    score = examples.score(attestation=noisy) if kind == "quantized" else examples.unquantized_score(attestation=noisy)
    standing, reasons = judge_score(score, examples.run() if kind == "quantized" else examples.unquantized())
    assert UNPROVEN in standing
    assert any("noise of sigma 0.02 (qerl) was on the weights" in reason for reason in reasons)


@pytest.mark.parametrize("key", ["scale_rule", "block_size", "dtype", "quantize_activations"])
def test_a_recipe_that_the_run_does_not_say_in_full_proves_nothing_and_says_what_is_missing(key: str) -> None:
    state = examples.run()
    short = {name: value for name, value in RECIPE.items() if name != key}
    standing, reasons = judge_score(examples.score(), replace(state, config=replace(state.config, recipe=short)))
    assert standing == (UNPROVEN,)
    assert f"the run's recipe does not say its {key}" in reasons[0]


@pytest.mark.parametrize(("syncs", "word"), [(0, STALE), (1, VALID)])
def test_an_engine_that_never_took_weights_is_stale_whatever_the_trainer_says(syncs: int, word: Standing) -> None:
    score = examples.score(attestation=sealed({**attestation(), "weight_syncs": syncs}))
    assert word in judge_score(score, examples.run())[0]
