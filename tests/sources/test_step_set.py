"""Steps that were seen: the same answers as a plain set, in little room; not where they come from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.step_set import LARGEST, StepSet

STEPS = st.lists(st.integers(-3, 30), max_size=40)


@given(STEPS)
def test_it_answers_as_a_plain_set_does(steps: list[int]) -> None:
    seen = StepSet(steps)
    assert [step for step in range(-5, 33) if step in seen] == sorted(set(steps))
    assert seen.highest() == max(steps, default=None)
    assert bool(seen) == bool(steps)


@given(STEPS)
def test_what_was_cleared_is_not_seen(steps: list[int]) -> None:
    seen = StepSet(steps)
    seen.clear()
    assert not seen and not any(step in seen for step in steps)


def test_steps_in_a_row_take_no_room() -> None:
    """A week's hundred thousand steps kept one by one were most of what the watch's memory grew by."""
    few, many = StepSet(range(3)), StepSet(range(100_000))
    assert (few.stretches, many.stretches) == (1, 1)


def test_a_step_that_joins_two_stretches_leaves_one() -> None:
    seen = StepSet((1, 3))
    assert seen.stretches == 2
    seen.add(2)
    assert seen.stretches == 1


def test_a_number_beyond_64_bits_is_seen_and_nothing_breaks() -> None:
    seen = StepSet((5, 10**40, -(10**40)))
    assert 10**40 in seen and -(10**40) in seen and 5 in seen
    assert seen.highest() == LARGEST


def test_the_highest_of_others_beside_it_counts_too() -> None:
    assert StepSet((5,)).highest(None, 9) == 9
    assert StepSet().highest(None) is None
