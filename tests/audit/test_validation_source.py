"""What a trainer's source does with the last step's validation, by its syntax tree."""

from __future__ import annotations

import pytest

from monitor.audit.validation_source import Effect, effect_of, places

IN_LOOP = """class T:
    def fit(self):
        if self.config.val_before_train:
            first = self._validate()
        for epoch in range(3):
            for batch in loader:
                is_last_step = self.global_steps >= self.total_training_steps
{}
                if is_last_step:
                    print("Final validation metrics")
                    return
"""


def in_loop(block: str) -> str:
    """The block inside the training loop."""
    return IN_LOOP.format("\n".join(" " * 16 + line for line in block.splitlines()))


VALIDATES = [
    "if freq > 0 and (is_last_step or self.global_steps % test_freq == 0):\n    m = self._validate()",
    "with timer('testing'):\n    m = self._validate()",
    "if not is_last_step:\n    m = self._validate()\nelse:\n    m = self._validate(final=True)",
    "try:\n    m = self._validate()\nfinally:\n    pass",
    "if is_last_step and self.config.hurry:\n    m = {}\nelse:\n    m = self._validate()",
]
SKIPS = [
    "if is_last_step:\n    m = {}\nelse:\n    with timer('testing'):\n        m = self._validate()",
    "if is_last_step:\n    print('skip')\nelif self.global_steps % test_freq == 0:\n    m = self._validate()",
    "if self.global_steps % test_freq == 0 and not is_last_step:\n    m = self._validate()",
    "if is_last_step:\n    break\nm = self._validate()",
    "if self.global_steps != self.total_training_steps:\n    m = self._validate()",
    "if False and is_last_step:\n    m = self._validate()",
]


@pytest.mark.parametrize("block", VALIDATES)
def test_a_path_to_a_validation_on_the_last_step_is_no_skip(block: str) -> None:
    assert effect_of(in_loop(block))[0] is Effect.VALIDATES


@pytest.mark.parametrize("block", SKIPS)
def test_no_path_to_a_validation_on_the_last_step_is_a_skip_with_its_method_and_line(block: str) -> None:
    effect, place = effect_of(in_loop(block))
    assert effect is Effect.SKIPS
    assert place is not None and (place.function, place.line) == ("T.fit", 8)


def test_a_frequency_alone_validates_only_at_multiples() -> None:
    assert effect_of(in_loop("if self.global_steps % self.config.test_freq == 0:\n    m = self._validate()"))[0] is (
        Effect.ONLY_MULTIPLES
    )


def test_a_validation_that_gives_up_at_its_start_on_the_last_step_is_a_skip() -> None:
    gives_up = "class T:\n  def _validate(self):\n    if self.is_last_step:\n      return {}\n    return self.all()\n"
    assert effect_of(gives_up)[0] is Effect.SKIPS
    only_says_so = gives_up.replace("return {}", "print(1)")
    assert effect_of(only_says_so)[0] is Effect.VALIDATES


def test_two_trainers_in_one_file_are_judged_apart() -> None:
    source = in_loop(SKIPS[0]) + in_loop(VALIDATES[0]).replace("class T", "class Dapo")
    assert {place.function: place.effect for place in places(source)} == {
        "T.fit": Effect.SKIPS,
        "Dapo.fit": Effect.VALIDATES,
    }


def test_what_is_no_python_is_unknown_and_what_validates_nothing_is_absent() -> None:
    assert effect_of("def f(:\n  _validate()")[0] is Effect.UNKNOWN
    assert effect_of("<<<<<<< HEAD\nself._validate()")[0] is Effect.UNKNOWN
    assert effect_of("(" * 5000 + "_validate()")[0] is Effect.UNKNOWN
    assert effect_of("x = 1")[0] is Effect.ABSENT
