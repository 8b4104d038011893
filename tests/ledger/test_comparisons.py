"""Which scores may be compared, and what their differences say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.ledger.comparisons import (
    Comparable,
    all_comparisons,
    compared,
    of_score,
    reported_comparisons,
    reported_of,
)
from monitor.model.score import Standing
from tests.ledger import examples

METRIC = "val-core/openai/gsm8k/acc/mean@1"
VALID = (Standing.VALID,)
UNPROVEN = (Standing.NOT_FINAL, Standing.UNPROVEN)


def final(run: str, value: float, **changes: Any) -> Comparable:
    """A valid final score."""
    sound = Comparable(run, 29, METRIC, value, VALID, ("valid: all of it",), 29, "mxfp4_w4a4", rows=1319, label=run)
    return replace(sound, **changes)


def family() -> list[Comparable]:
    """The scores that a summary of the family sets side by side."""
    off = (Standing.NOT_FINAL, Standing.NOT_QUANTIZED)
    bf16 = ("not-final: of step 20", "not-quantized: the engine ran in bf16; a rerun with mxfp4_w4a4 would count")
    rows = [final("E13g", 0.7089, recipe="nvfp4_w4a4"), final("E13h", 0.7142)]
    rows.append(final("E13j", 0.7331, step=20, standing=off, reasons=bf16))
    for run, value in (("E13k", 0.6596), ("E13l", 0.5322), ("E13m", 0.6937), ("E13n", 0.6907)):
        rows.append(final(run, value, step=20, standing=UNPROVEN, reasons=("unproven: no count of the engine",)))
    return rows


def test_the_familys_four_comparisons_with_the_inflated_score_do_not_hold_and_name_the_baseline() -> None:
    found = {(item.left, item.right): item for item in reported_comparisons(family())}
    assert {key[0]: round(100 * item.difference, 6) for key, item in found.items() if key[1] == "E13j"} == {
        "E13k": -7.35,
        "E13l": -20.09,
        "E13m": -3.94,
        "E13n": -4.24,
    }
    for run in ("E13k", "E13l", "E13m", "E13n"):
        item = found[run, "E13j"]
        assert not item.holds and item.baseline == "E13h" and item.low is None and item.meaning == "says nothing"
        assert any(
            "E13j was evaluated without its quantization: the engine ran in bf16" in told for told in item.reasons
        )
        assert any(f"{run} is not proved: no count of the engine" in told for told in item.reasons)


def test_two_valid_finals_of_two_formats_may_be_compared_and_half_a_point_says_nothing() -> None:
    (item,) = (item for item in reported_comparisons(family()) if item.holds)
    assert (item.left, item.right, item.samples) == ("E13g", "E13h", 1319)
    assert item.meaning == "no difference can be told"
    assert item.low is not None and item.high is not None and item.low < -0.0053 < 0 < item.high
    assert any("nvfp4_w4a4 with mxfp4_w4a4" in told for told in item.reasons)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": 20, "standing": (Standing.NOT_FINAL,)}, "is of step 20 (the last is 29)"),
        ({"standing": (Standing.NOT_QUANTIZED,)}, "without its quantization"),
        ({"standing": (Standing.STALE_WEIGHTS,)}, "other weights"),
        ({"standing": (Standing.PARTIAL,)}, "part of the validation set"),
        ({"standing": (Standing.UNPROVEN,)}, "not proved"),
        ({"standing": ()}, "never judged"),
        ({"rows": 1000}, "1000 samples"),
        ({"metric": "val-core/openai/math/acc/mean@1"}, "different metrics"),
        ({"data": "other"}, "different validation sets"),
    ],
)
def test_each_thing_that_is_not_alike_is_a_reason(changes: dict[str, Any], words: str) -> None:
    item = compared(final("a", 0.7, **{"data": "set", **changes}), final("b", 0.6, data="set"))
    assert not item.holds and any(words in told for told in item.reasons)
    assert item.meaning == "says nothing"


def test_scores_of_one_earlier_step_may_be_compared_and_are_called_no_result() -> None:
    early = {"step": 20, "standing": (Standing.NOT_FINAL,)}
    item = compared(final("a", 0.7, **early), final("b", 0.6, **early))
    assert item.holds and item.meaning == "higher"
    assert "neither is a result" in item.reasons[0]


def test_finals_of_runs_of_other_lengths_may_be_compared() -> None:
    assert compared(final("a", 0.7), final("b", 0.6, step=58, final_step=58)).holds


def test_without_samples_or_over_many_answers_each_nothing_is_said_of_chance() -> None:
    for changes in (
        {"rows": None},
        {"metric": METRIC.replace("mean@1", "mean@8")},
        {"metric": "val-core/x/reward/mean@1"},
    ):
        item = compared(final("a", 0.7, **changes), final("b", 0.6, **changes))
        assert item.holds and item.low is None and item.meaning == "says nothing"


def test_dumps_of_both_are_compared_sample_by_sample_and_a_dump_of_something_else_is_not() -> None:
    ones = {str(n): float(n < 940) for n in range(1319)}
    others = {str(n): float(n < 900) for n in range(1319)}
    left, right = final("a", 940 / 1319, samples=ones), final("b", 900 / 1319, samples=others)
    item = compared(left, right)
    assert item.meaning == "higher" and any("McNemar" in told for told in item.reasons)
    item = compared(replace(left, value=0.9), right)
    assert any("independent" in told for told in item.reasons)


def test_the_baseline_is_valid_of_the_same_recipe_without_noise_and_never_the_run_itself() -> None:
    noisy = final("noisy", 0.8, noise="global_aqn", started_at=1.0)
    plain = final("plain", 0.7, noise="none", started_at=2.0)
    other = final("other", 0.7, recipe="nvfp4_w4a4")
    found = {item.left: item.baseline for item in all_comparisons([other, noisy, plain])}
    assert found == {"noisy": "plain", "plain": "noisy"}
    assert reported_comparisons([other, noisy])[0].baseline is None


def test_a_value_that_is_no_number_is_compared_with_nothing() -> None:
    assert reported_comparisons([final("a", float("nan")), final("b", 0.5)]) == ()


def test_the_ledgers_scores_are_compared_by_what_was_proved() -> None:
    state = examples.run()
    score = replace(examples.score(), standing=VALID)
    item = of_score(state, score)
    assert (item.recipe, item.rows, item.final) == ("mxfp4_w4a4", examples.ROWS, True)


def test_a_run_reports_its_latest_score_and_of_one_step_the_valid_one() -> None:
    early = replace(examples.score(20), standing=UNPROVEN)
    wrong = replace(examples.score(29, 0.73), standing=(Standing.NOT_QUANTIZED,), recorded_at=3.0)
    right = replace(examples.score(29, 0.71), standing=VALID, recorded_at=2.0)
    assert reported_of([early, wrong, right]) == (right,)
