"""The fold: one thing seen by many is one thing, in any order, late or early, once or again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.detect.fold import fold
from monitor.detect.fold_draft import SPANS_EACH
from monitor.model.fact import Fact
from tests.detect.fold_examples import METRIC, START, fact, moved_at, run


def test_a_phase_seen_by_hook_and_then_by_console_moves_progress_once() -> None:
    first = fold(run(), [fact("phase_begin", 5, step=1, phase="testing")])
    second = fold(first, [fact("phase_begin", 9, "console", step=1, phase="testing")])
    assert second.progress == first.progress
    assert [(span.phase, span.began_at) for span in second.spans] == [("testing", START + 5)]


def test_a_phase_read_late_from_the_console_is_dated_by_the_hook_that_saw_it() -> None:
    late = fold(run(), [fact("phase_begin", 600, "console", step=29, phase="testing")])
    mended = fold(late, [fact("phase_begin", 20, step=29, phase="testing")])
    assert (moved_at(late), moved_at(mended)) == (600, 20)
    assert mended.phase_since == START + 20


def test_progress_is_dated_by_what_facts_say_and_not_by_when_they_come() -> None:
    state = fold(run(), [fact("phase_begin", 30, step=2, phase="gen")])
    state = fold(state, [fact("phase_end", 12, step=1, phase="gen", seconds=2.0)])
    assert moved_at(state) == 30


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (fact("samples", 5, step=20, phase="testing", done=131, total=256), {"done": 131}),
        (fact("samples", 5, step=20, phase="testing", done=131, total=256), {"done": 64}),
        (fact("samples", 5, step=3, phase="gen", done=10), {"done": 10}),
        (fact("dump", 5, step=20, path="20.jsonl", rows=256), {"rows": 256}),
        (fact("checkpoint", 5, step=29, path="c", complete=False, bytes=10), {"bytes": 10}),
        (fact("checkpoint", 5, step=29, path="c", complete=True, bytes=10), {"complete": False}),
        (fact("score", 5, step=20, metric=METRIC, value=0.5), {"value": 0.5}),
        (fact("step_end", 5, step=20, metrics={}), {}),
        (fact("weights_updated", 5, step=20, version=20), {"fingerprint": "ab"}),
        (fact("attested", 5, step=20, calls=7), {}),
        (fact("run_end", 5, exit="finished"), {"exit": "gone"}),
    ],
)
def test_what_tells_nothing_new_is_no_progress(first: Fact, again: dict[str, Any]) -> None:
    before = fold(run(), [first])
    repeated = replace(first, source="console", at=first.at + 60, data={**first.data, **again})
    after = fold(before, [repeated])
    assert after.progress == before.progress
    assert before.progress is not None and before.progress.facts == 1


@pytest.mark.parametrize(
    ("first", "grown", "sentence"),
    [
        (
            fact("samples", 5, step=29, phase="testing", done=130, total=256),
            {"done": 131},
            "sample 131 of 256 of the validation at step 29",
        ),
        (
            fact("samples", 5, step=3, phase="gen", done=10, total=64),
            {"done": 11},
            "sample 11 of 64 in phase gen of step 3",
        ),
        (fact("dump", 5, step=20, path="20.jsonl", rows=64), {"rows": 65}, "65 rows in the dump"),
        (fact("checkpoint", 5, step=29, path="c", complete=False, bytes=10), {"bytes": 11}, "grew to 11 bytes"),
        (fact("checkpoint", 5, step=29, path="c", complete=False, bytes=10), {"complete": True}, "is complete"),
        (fact("calls_moved", 5, "ray", finished=1), {}, "Ray calls"),
    ],
)
def test_what_grows_is_progress_and_says_what_it_was(first: Fact, grown: dict[str, Any], sentence: str) -> None:
    before = fold(run(), [first])
    after = fold(before, [replace(first, at=START + 8, data={**first.data, **grown})])
    assert moved_at(after) == 8
    assert after.progress is not None and sentence in after.progress.last_fact


@pytest.mark.parametrize("kind", ["notice", "guard", "run_config"])
def test_a_notice_a_guard_and_a_configuration_are_no_progress(kind: str) -> None:
    state = fold(run(), [fact(kind, 5, text="t", reason="r", final_validation="missing", test_freq=20)])
    assert state.progress is None


def test_a_repeated_notice_is_kept_once() -> None:
    lines = [fact("notice", at, "console", text="still waiting") for at in range(200)]
    assert len(fold(run(), lines).notices) == 1


def test_a_checkpoint_that_was_first_seen_empty_is_no_progress() -> None:
    assert fold(run(), [fact("checkpoint", 5, step=29, path="c", complete=False, bytes=0)]).progress is None


def test_a_complete_checkpoint_that_loses_a_shard_is_a_notice() -> None:
    whole = fact("checkpoint", 5, "checkpoint", step=29, path="c", complete=True, bytes=10, missing=[])
    cut = fact("checkpoint", 9, "checkpoint", step=29, path="c", complete=False, bytes=4, missing=["model.pt (cut)"])
    state = fold(run(), [whole, cut])
    assert "now lacks model.pt (cut)" in state.notices[0].what


def test_the_initial_validation_is_step_0_and_not_final() -> None:
    facts = [
        fact("phase_begin", 1, step=0, phase="testing", total=256),
        fact("samples", 2, step=0, phase="testing", done=256, total=256),
        fact("phase_end", 3, step=0, phase="testing", seconds=2.0),
    ]
    state = fold(run(), facts)
    validation = state.validation_at(0)
    assert state.step == 0
    assert validation is not None and validation.executed and not validation.final


def executed(*facts: Fact, config: dict[str, Any] | None = None) -> bool:
    """Whether the validation of step 29 counts as executed."""
    validation = fold(run(**(config or {})), facts).validation_at(29)
    return validation is not None and validation.executed


BEGAN = fact("phase_begin", 1, step=29, phase="testing")
ENDED = fact("phase_end", 9, step=29, phase="testing", seconds=8.0)


def test_a_validation_is_executed_only_on_evidence_of_execution() -> None:
    counted = fact("samples", 8, step=29, phase="testing", done=256, total=256)
    assert executed(fact("dump", 5, "dump", step=29, path="p", rows=256))
    assert executed(fact("score", 5, "console", step=29, metric=METRIC, value=0.7))
    assert executed(BEGAN, counted, ENDED)


@pytest.mark.parametrize(
    "facts",
    [
        (BEGAN,),
        (BEGAN, ENDED),
        (BEGAN, fact("samples", 8, step=29, phase="testing", done=256, total=256)),
        (BEGAN, fact("samples", 8, step=29, phase="testing", done=255, total=256), ENDED),
        (
            BEGAN,
            fact("samples", 8, step=29, phase="testing", done=256, total=256),
            fact("phase_end", 9, step=29, phase="testing", seconds=8.0, error="RuntimeError"),
        ),
        (fact("dump", 5, "dump", step=29, path="p", rows=255),),
        (fact("step_end", 5, "console", step=29, metrics={"loss": 1.0}),),
        (fact("attested", 5, step=29, calls=1),),
        (fact("score", 5, step=20, metric=METRIC, value=0.7),),
    ],
)
def test_intention_is_no_execution(facts: tuple[Fact, ...]) -> None:
    assert not executed(*facts)


def test_a_dump_of_unknown_size_proves_no_full_validation() -> None:
    assert not executed(fact("dump", 5, "dump", step=29, path="p", rows=3), config={"validation_rows": None})


def test_the_final_validation_is_known_once_the_total_is() -> None:
    begun = fold(run(total_steps=None), [BEGAN])
    told = fold(begun, [fact("run_config", 2, "console", total_steps=29)])
    assert [item.final for item in (*begun.validations, *told.validations)] == [False, True]


def test_a_configuration_of_the_wrong_kind_or_unknown_name_is_left_alone() -> None:
    state = fold(run(), [fact("run_config", 1, "console", test_freq="often", nonsense=1, save_freq=True, recipe=None)])
    assert state.config == run().config


def test_a_phase_that_runs_again_in_one_step_is_progress_and_a_span_of_its_own() -> None:
    facts = [
        fact(kind, at, step=5, phase="gen", seconds=1.0)
        for kind, at in [("phase_begin", 1), ("phase_end", 2), ("phase_begin", 3), ("phase_end", 4)]
    ]
    state = fold(run(), facts)
    assert [(span.occurrence, span.began_at, span.ended_at) for span in state.spans] == [
        (0, START + 1, START + 2),
        (1, START + 3, START + 4),
    ]
    assert moved_at(fold(run(), facts[:3])) == 3
    assert fold(state, facts) == state


def test_without_hooks_a_phase_ended_when_the_trainer_went_on() -> None:
    facts = [
        fact("phase_begin", 10, "console", step=29, phase="testing"),
        fact("phase_begin", 19, "console", step=29, phase="save_checkpoint"),
    ]
    state = fold(run(), facts)
    validation = state.validation_at(29)
    assert state.phase == "save_checkpoint"
    assert validation is not None and validation.ended_at == START + 19


def test_without_hooks_a_step_that_was_logged_has_no_phase_under_way() -> None:
    begun = fact("phase_begin", 10, "console", step=20, phase="testing")
    state = fold(run(), [begun, fact("step_end", 14, "console", step=20, metrics={})])
    assert (state.phase, state.spans[0].ended_at) == (None, START + 14)


def test_a_log_read_at_once_leaves_the_phase_told_last_under_way() -> None:
    facts = [
        fact("step_end", 600, "console", step=28, metrics={}),
        fact("phase_begin", 600, "console", step=29, phase="save_checkpoint"),
        fact("phase_begin", 600, "console", step=29, phase="testing"),
    ]
    state = fold(run(), facts)
    assert (state.step, state.phase) == (29, "testing")


def test_with_hooks_a_phase_inside_another_does_not_end_it() -> None:
    facts = [
        fact("phase_begin", 1, step=5, phase="gen"),
        fact("phase_begin", 2, step=5, phase="reward"),
        fact("phase_end", 3, step=5, phase="reward", seconds=1.0),
    ]
    assert fold(run(), facts).phase == "gen"


def test_a_phase_thought_over_is_under_way_once_the_hooks_say_so() -> None:
    facts = [
        fact("samples", 10, step=29, phase="testing", done=64, total=256),
        fact("phase_begin", 10, step=29, phase="gen"),
    ]
    thought_over = fold(run(), facts)
    assert [item.ended_at for item in thought_over.validations] == [START + 10]
    told = fold(thought_over, [fact("phase_begin", 9, step=29, phase="testing")])
    assert [item.ended_at for item in told.validations] == [None]


def test_files_of_an_earlier_attempt_under_the_same_name_are_left_alone_and_that_is_said() -> None:
    left = [
        fact("score", -600, "file_logger", step=29, metric=METRIC, value=0.7),
        fact("dump", -600, "dump", step=29, path="29.jsonl", rows=256),
        fact("checkpoint", -600, "checkpoint", step=29, path="c", complete=True, bytes=10),
        fact("step_end", -600, "file_logger", step=29, metrics={}),
    ]
    state = fold(run(), left)
    assert (state.validations, state.checkpoints, state.step, state.progress) == ((), (), None, None)
    assert len(state.notices) == 3


def test_a_run_that_ended_keeps_the_most_telling_word_and_the_first_time() -> None:
    ends = [fact("run_end", 9, "processes", exit="gone"), fact("run_end", 7, exit="failed")]
    for order in (ends, ends[::-1]):
        state = fold(run(), order)
        assert (state.ended_how, state.ended_at) == ("failed", START + 7)


def test_calls_that_vanish_after_the_end_are_no_progress() -> None:
    ended = fold(run(), [fact("run_end", 9, exit="finished")])
    after = fold(ended, [fact("calls_moved", 11, "ray", finished=64)])
    assert after.progress is not None and after.progress.last_fact == "the run ended"
    assert moved_at(after) == 9


def test_two_sources_that_tell_different_scores_are_a_notice_and_the_first_stands() -> None:
    told = [
        fact("score", 5, step=20, metric=METRIC, value=0.7),
        fact("score", 6, "console", step=20, metric=METRIC, value=0.1),
    ]
    state = fold(run(), told)
    assert state.validations[0].value == 0.7
    assert "is told as 0.7 and as 0.1" in state.notices[0].what


def test_a_rounded_score_is_the_same_score_and_the_finer_number_stands() -> None:
    told = [
        fact("score", 5, step=20, metric=METRIC, value=0.7109),
        fact("score", 6, step=20, metric=METRIC, value=0.7109375),
    ]
    for order in (told, told[::-1]):
        assert fold(run(), order).validations[0].value == 0.7109375


def test_a_long_run_keeps_few_spans_and_an_old_fact_told_again_is_no_news() -> None:
    steps = [fact("phase_begin", step, step=step, phase="gen") for step in range(1, 200)]
    all_at_once = fold(run(), steps)
    later = fold(all_at_once, [])
    assert (len(all_at_once.spans), len(later.spans)) == (199, SPANS_EACH)
    again = fold(later, [replace(steps[3], source="console", at=START + 999)])
    assert (again.spans, again.progress) == (later.spans, later.progress)


def test_limits_can_be_learned_from_rare_validations_in_a_long_run() -> None:
    facts = [fact("phase_end", 0, step=0, phase="testing", seconds=3.0)]
    facts += [fact("phase_end", step, step=step, phase="gen", seconds=1.0) for step in range(1, 500)]
    assert "testing" in {span.phase for span in fold(fold(run(), facts), []).spans}
