"""GPU-hours of runs that have to be made up for, and guesses that are no scores."""

from __future__ import annotations

from dataclasses import replace

from monitor.audit.cost import cost_of, guesses, wasted
from monitor.model.audit import RunEnd
from monitor.model.score import Standing
from tests.audit.concluded_family import family, missing, run, score, valid


def test_the_familys_six_runs_cost_64_gpu_hours_and_the_basis_names_each_assumption() -> None:
    cost = cost_of(family())
    assert cost.gpu_hours == 64
    assert cost.basis.startswith("6 runs × 80 min × 8 GPUs")
    for words in ("29 steps' own seconds", "10 more at their mean", "10 min assumed"):
        assert words in cost.basis
    assert [name for name, _, _ in cost.by_run] == [item.name for item in wasted(family())]


def test_a_log_with_its_own_times_is_taken_by_them_and_not_rounded() -> None:
    timed = missing("E1", 0.1, 0.5, Standing.UNPROVEN, duration_seconds=4500.0, duration_basis="timestamps in the log")
    cost = cost_of([timed])
    assert cost.gpu_hours == 10.0 and "the log's own times" in cost.basis


def test_a_log_cut_short_is_not_taken_by_its_last_timestamp() -> None:
    cut = missing(
        "E1", 0.1, 0.5, Standing.UNPROVEN, ended=RunEnd.BROKEN_OFF, duration_seconds=60.0,
        duration_basis="timestamps in the log",
    )  # fmt: skip
    assert cost_of([cut]).gpu_hours == round(80 * 8 / 60, 2)


def test_what_the_caller_gives_is_named_as_given() -> None:
    cost = cost_of([missing("E1", 0.1, 0.5, Standing.UNPROVEN, gpus=None, step_seconds=())], 75.0, 4)
    assert cost.gpu_hours == 5.0 and "given" in cost.basis and "4 GPUs (given)" in cost.by_run[0][2]


def test_what_is_not_known_is_said_and_the_sum_is_a_least_one() -> None:
    unknown = missing("E2", 0.1, 0.5, Standing.UNPROVEN, gpus=None)
    cost = cost_of([missing("E1", 0.1, 0.5, Standing.UNPROVEN), unknown])
    assert cost.gpu_hours == round(80 * 8 / 60, 2)
    assert "at least" in cost.basis and "E2" in cost.basis
    assert cost_of([unknown]).gpu_hours is None


def test_runs_that_stand_or_only_lack_proof_cost_nothing() -> None:
    unproven = run("E3", (score(29, 0.7, Standing.UNPROVEN),), Standing.UNPROVEN)
    cost = cost_of([valid("E1", 0.1, 0.6, 0.7), unproven])
    assert cost.gpu_hours == 0 and cost.by_run == ()


def test_a_guess_names_the_runs_it_rests_on_and_its_span() -> None:
    found = {guess.run[-4:]: guess for guess in guesses(family())}
    assert set(found) == {"e13k", "e13l", "e13m", "e13n"}, "none from a BF16 score, none from a score that is missing"
    guess = found["e13k"]
    assert (guess.low, guess.value, guess.high) == (0.7597, 0.7631, 0.7665)
    assert "a guess" in guess.basis and "E13g +10.01" in guess.basis and "E13h +10.69" in guess.basis


def test_without_a_valid_run_nothing_is_guessed() -> None:
    assert guesses([item for item in family() if not item.final_stands]) == ()
    other_length = replace(valid("E9", 0.1, 0.6, 0.7), planned_steps=58)
    assert guesses([other_length, missing("E1", 0.1, 0.5, Standing.UNPROVEN)]) == ()
