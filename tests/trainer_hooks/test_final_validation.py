"""The guard's verdicts, one history of a run each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from trainer_hooks import final_validation
from trainer_hooks.final_validation import FinalValidation
from trainer_hooks.recorder import Recorder

Reader = Callable[..., list[dict[str, Any]]]


def trained(steps: int, total: int | None = 29, *, off: str = "") -> FinalValidation:
    """A run that trained and sent its weights at each of `steps` steps."""
    guard = FinalValidation(total, off)
    for step in range(1, steps + 1):
        guard.weights_trained(step)
        guard.weights_sent()
    return guard


def validate(guard: FinalValidation, step: int, rows: int | None = 256, failed: str = "") -> FinalValidation:
    """A validation of 256 rows in full, or as told."""
    guard.validation_began(step, 256)
    if rows is not None:
        guard.rows_seen(rows)
    guard.validation_ended(failed)
    return guard


def test_full_final_validation_after_the_last_update_is_executed() -> None:
    assert validate(trained(29), 29).verdict().final_validation == "executed"


def test_validation_at_20_of_29_is_no_final_validation() -> None:
    verdict = validate(trained(29), 20).verdict()
    assert verdict.final_validation == "missing" and "last one ran at step 20" in verdict.reason


def test_training_that_stops_early_names_both_steps() -> None:
    verdict = validate(trained(27), 20).verdict()
    assert verdict.final_validation == "missing" and "step 27 of 29" in verdict.reason


def test_exception_in_training_is_named() -> None:
    verdict = trained(12).verdict("OutOfMemoryError")
    assert verdict.final_validation == "missing" and "OutOfMemoryError at step 12 of 29" in verdict.reason


def test_validation_switched_off_is_still_missing() -> None:
    verdict = trained(29, off="trainer.test_freq is -1").verdict()
    assert verdict.final_validation == "missing" and "test_freq is -1" in verdict.reason


def test_fewer_rows_than_expected_are_partial() -> None:
    verdict = validate(trained(29), 29, rows=192).verdict()
    assert verdict.final_validation == "partial" and "192 of 256" in verdict.reason


def test_rows_nobody_saw_are_unproven() -> None:
    assert validate(trained(29), 29, rows=None).verdict().final_validation == "unproven"


def test_weights_that_never_reached_the_engine_are_stale() -> None:
    guard = trained(28)
    guard.weights_trained(29)
    assert validate(guard, 29).verdict().final_validation == "stale-weights"


def test_training_after_the_final_validation_makes_it_stale() -> None:
    guard = validate(trained(29), 29)
    guard.weights_trained(29)
    assert guard.verdict().final_validation == "stale-weights"


def test_weights_that_arrive_during_the_final_validation_leave_it_unproven() -> None:
    guard = trained(28)
    guard.weights_trained(29)
    guard.validation_began(29, 256)
    guard.weights_sent()
    guard.rows_seen(256)
    guard.validation_ended()
    assert guard.verdict().final_validation == "unproven"


def test_unseen_weight_updates_are_no_accusation() -> None:
    guard = FinalValidation(2)
    guard.weights_trained(1)
    guard.weights_trained(2)
    assert validate(guard, 2).verdict().final_validation == "executed"


def test_validation_that_raised_or_never_ended_is_missing() -> None:
    assert validate(trained(29), 29, failed="ValueError").verdict().final_validation == "missing"
    guard = trained(29)
    guard.validation_began(29, 256)
    assert guard.verdict().final_validation == "missing"


def test_unknown_total_takes_the_last_step_reached() -> None:
    assert validate(trained(7, None), 7).verdict().final_validation == "executed"
    assert FinalValidation().verdict().final_validation == "unproven"


def test_guard_speaks_once_as_an_event_and_on_stderr(
    fresh_recorder: Recorder, written: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    guard = validate(trained(29), 20)
    assert guard.speak() is not None and guard.speak() is None
    (line,) = written("guard")
    assert line["data"]["final_validation"] == "missing" and line["data"]["reason"]
    assert capfd.readouterr().err.count("laststep: this run ends without a final validation that stands") == 1


def test_guard_is_quiet_where_the_final_validation_stands(
    fresh_recorder: Recorder, written: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    validate(trained(29), 29).speak()
    assert written("guard")[0]["data"]["final_validation"] == "executed"
    assert capfd.readouterr().err == ""


def test_full_stderr_pipe_never_blocks(monkeypatch: pytest.MonkeyPatch, fresh_recorder: Recorder) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 65536)
    os.set_blocking(writer, True)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        final_validation.say("never arrives")
        monkeypatch.undo()
    os.close(reader)


def test_weights_that_were_loaded_and_never_sent_are_not_the_engines_where_sending_is_seen() -> None:
    guard = FinalValidation(None)
    guard.syncs_are_seen()
    guard.weights_loaded(29)
    verdict = validate(guard, 29).verdict()
    assert verdict.final_validation == "stale-weights" and "no weights were sent to the engine" in verdict.reason


def test_weights_that_were_loaded_and_sent_are_the_engines() -> None:
    guard = FinalValidation(None)
    guard.syncs_are_seen()
    guard.weights_loaded(29)
    guard.weights_sent()
    assert validate(guard, 29).verdict().final_validation == "executed"


def test_where_sending_is_not_seen_loaded_weights_count_as_sent() -> None:
    guard = FinalValidation(None)
    guard.weights_loaded(29)
    assert validate(guard, 29).verdict().final_validation == "executed"
