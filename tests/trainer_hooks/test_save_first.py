"""`--save-first`: the last step is saved before its validation, exactly once, and whatever happened is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from trainer_hooks import records, save_first
from trainer_hooks.frameworks import training
from trainer_hooks.frameworks.verl_names import METHODS
from trainer_hooks.frameworks.wrapping import apply_to
from trainer_hooks.recorder import Recorder

Reader = Callable[..., list[dict[str, Any]]]


class ValidatesFirst:
    """verl 0.7's and DAPO's order, with verl's names and signatures."""

    order = ("testing", "save_checkpoint")

    def __init__(self, steps: int = 2, save_freq: int = 1) -> None:
        self.total_training_steps = steps
        self.global_steps = 0
        self.config = {"trainer": {"total_training_steps": steps, "test_freq": 1, "save_freq": save_freq}}
        self.done: list[tuple[str, int]] = []

    def fit(self) -> None:
        """Trains."""
        for step in range(1, self.total_training_steps + 1):
            self.global_steps = step
            for phase in self.order:
                if phase == "testing":
                    self._validate()
                elif self.config["trainer"]["save_freq"] > 0:
                    self._save_checkpoint()

    def _validate(self) -> dict[str, float]:
        self.done.append(("validate", self.global_steps))
        return {}

    def _save_checkpoint(self) -> None:
        self.done.append(("save", self.global_steps))


def _observed(kind: type) -> type:
    made = type(kind.__name__, (kind,), {name: value for name, value in vars(kind).items() if callable(value)})
    for wrap in METHODS:
        apply_to(made, wrap.path, wrap)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, fresh_recorder: Recorder) -> None:
    """A person asked for it."""
    monkeypatch.setattr(training, "_training", training.Training())
    monkeypatch.setenv(records.SAVE_FIRST_VARIABLE, "1")


def _said(written: Reader) -> list[str]:
    return [line["data"]["text"] for line in written("notice")]


def _run(kind: type = ValidatesFirst, **settings: Any) -> list[tuple[str, int]]:
    trainer = _observed(kind)(**settings)
    trainer.fit()
    done: list[tuple[str, int]] = trainer.done
    return done


def test_the_last_step_is_saved_before_its_validation_and_only_once(asked: None, written: Reader) -> None:
    assert _run() == [("validate", 1), ("save", 1), ("save", 2), ("validate", 2)]
    assert _said(written) == ["save-first: step 2 was saved before its validation"]


def test_a_trainer_that_saves_first_itself_saves_once(asked: None, written: Reader) -> None:
    kind = type("SavesFirst", (ValidatesFirst,), {"order": ("save_checkpoint", "testing")})
    assert _run(kind) == [("save", 1), ("validate", 1), ("save", 2), ("validate", 2)]
    assert "by the trainer itself" in _said(written)[0]


def test_a_run_that_would_not_save_at_all_saves_its_last_step(asked: None, written: Reader) -> None:
    assert _run(save_freq=-1) == [("validate", 1), ("save", 2), ("validate", 2)]


def test_a_save_that_fails_is_said_and_the_trainers_own_stays(
    asked: None, written: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    class Fails(ValidatesFirst):
        def _save_checkpoint(self) -> None:
            super()._save_checkpoint()
            if ("validate", self.global_steps) not in self.done:
                raise OSError(28, "No space left on device")

    done = _run(Fails)
    assert done == [("validate", 1), ("save", 1), ("save", 2), ("validate", 2), ("save", 2)]
    assert "No space left on device" in _said(written)[0]
    assert "--save-first: saving step 2 before its validation failed" in capfd.readouterr().err


def test_a_trainer_that_cannot_save_says_so(asked: None, written: Reader) -> None:
    save_first.before_final_validation(object(), 2, 2, None)
    save_first.before_final_validation(object(), 2, None, None)
    assert "has no _save_checkpoint" in _said(written)[0] and "last step is not known" in _said(written)[1]


def test_without_being_asked_for_nothing_changes(fresh_recorder: Recorder, written: Reader) -> None:
    assert os.environ.get(records.SAVE_FIRST_VARIABLE) is None
    assert _run() == [("validate", 1), ("save", 1), ("validate", 2), ("save", 2)]
    assert _said(written) == []
