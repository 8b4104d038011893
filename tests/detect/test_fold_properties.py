"""The fold over any facts: idempotent, whole or in parts, in any order, and never dating progress too late."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.fold import fold
from monitor.model.fact import Fact, FactKind
from tests.detect.fold_examples import METRIC, fact, run

STEPS = st.sampled_from([0, 20, 29])
PHASES = st.sampled_from(["gen", "testing", "save_checkpoint"])


@st.composite
def facts_of_a_run(draw: st.DrawFn) -> Fact:
    """Any fact of any source; times are whole seconds so that ties happen."""
    kind = draw(st.sampled_from(list(FactKind)))
    data: dict[str, Any] = {
        "done": draw(st.integers(0, 4)) * 64,
        "total": draw(st.sampled_from([None, 256])),
        "rows": draw(st.integers(0, 4)) * 64,
        "path": "p",
        "bytes": draw(st.integers(0, 3)),
        "complete": draw(st.booleans()),
        "metric": METRIC,
        "value": 0.5,
        "version": draw(st.integers(0, 2)),
        "seconds": draw(st.sampled_from([None, 1.0])),
        "exit": draw(st.sampled_from(["gone", "finished", "failed"])),
        "text": draw(st.sampled_from(["a", "b"])),
        "final_validation": "missing",
        "reason": "r",
    }
    source = draw(st.sampled_from(["hook", "console", "file_logger"]))
    return fact(kind.value, draw(st.integers(0, 9)), source, draw(STEPS), draw(PHASES), **data)


@given(st.lists(facts_of_a_run(), max_size=30))
def test_folding_the_same_facts_again_changes_nothing(facts: list[Fact]) -> None:
    once = fold(run(), facts)
    assert fold(once, []) == once
    again = fold(once, facts)
    assert again == once


@given(st.lists(facts_of_a_run(), max_size=30), st.integers(0, 30))
def test_facts_in_two_polls_are_facts_in_one(facts: list[Fact], cut: int) -> None:
    together = fold(run(), facts)
    apart = fold(fold(run(), facts[:cut]), facts[cut:])
    assert apart.validations == together.validations
    assert apart.checkpoints == together.checkpoints
    assert (apart.progress is None) == (together.progress is None)


@given(st.lists(facts_of_a_run(), max_size=12), st.randoms(use_true_random=False))
def test_counts_checkpoints_and_ends_do_not_depend_on_the_order_of_facts(facts: list[Fact], random: Any) -> None:
    shuffled = facts[:]
    random.shuffle(shuffled)
    one, other = fold(run(), facts), fold(run(), shuffled)
    assert [(item.step, item.done, item.dump_rows, item.scores, item.executed) for item in one.validations] == [
        (item.step, item.done, item.dump_rows, item.scores, item.executed) for item in other.validations
    ]
    assert [(item.step, item.complete, item.bytes) for item in one.checkpoints] == [
        (item.step, item.complete, item.bytes) for item in other.checkpoints
    ]
    assert (one.step, one.ended_at, one.ended_how) == (other.step, other.ended_at, other.ended_how)


@given(st.lists(facts_of_a_run(), min_size=1, max_size=30))
def test_progress_is_never_dated_later_than_the_latest_moving_fact(facts: list[Fact]) -> None:
    state = fold(run(), facts)
    if state.progress is not None:
        assert state.progress.last_moved_at <= max(item.at for item in facts if item.moves)
        assert state.progress.last_fact
