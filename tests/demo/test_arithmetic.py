"""The task: what counts as right, and a validation set that never changes."""

from __future__ import annotations

from pathlib import Path

from monitor.demo import arithmetic


def test_only_the_answer_alone_scores() -> None:
    assert arithmetic.score("1", "1") == 1.0
    assert [arithmetic.score(response, "1") for response in ("", "2", "11", "1=", "?")] == [0.0] * 5


def test_the_truth_of_every_problem_is_the_sums_last_digit() -> None:
    for problem in arithmetic.all_problems():
        left, _, addend = problem.prompt.rstrip("=").partition("+")
        assert problem.ground_truth == str(int(left) + int(addend))[-1]
        assert len(arithmetic.encode(problem.prompt)) == arithmetic.PROMPT_TOKENS


def test_text_ends_at_the_end_token() -> None:
    assert arithmetic.decode([7, arithmetic.END, 3]) == "7"
    assert arithmetic.decode([arithmetic.PAD, 3]) == "?3"


def test_the_validation_set_has_256_different_problems_and_is_the_same_each_time(tmp_path: Path) -> None:
    arithmetic.write_validation_set(tmp_path / "a" / "first.jsonl")
    arithmetic.write_validation_set(tmp_path / "second.jsonl")
    assert (tmp_path / "a" / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()
    problems = arithmetic.read_validation_set(tmp_path / "second.jsonl")
    assert len({problem.prompt for problem in problems}) == arithmetic.VALIDATION_SAMPLES == 256
    assert len({problem.uid for problem in problems}) == 256


def test_a_step_draws_its_own_prompts_and_the_same_ones_again() -> None:
    assert arithmetic.training_batch(1, 5, 24) == arithmetic.training_batch(1, 5, 24)
    assert arithmetic.training_batch(1, 5, 24) != arithmetic.training_batch(1, 6, 24)
    assert arithmetic.training_batch(1, 5, 24) != arithmetic.training_batch(2, 5, 24)
