"""Save before the final validation, where a person asked for it (`laststep run --save-first`): once, and never unsaid.

A validation that hangs after a trainer's last step takes the last weights with it where the trainer saves afterwards.
Asked for, the trainer's own `_save_checkpoint` is called before the final validation, and its later call of the same
step is left out. What was done, or why nothing was, stands in a NOTICE event and on stderr. A save that fails is told
and leaves the trainer's own in place.
"""

from __future__ import annotations

import os
from typing import Any

from trainer_hooks import recorder, records
from trainer_hooks.final_validation import say

NOTICE = "notice"
METHOD = "_save_checkpoint"


def wanted() -> bool:
    """True where the environment asks for it."""
    return os.environ.get(records.SAVE_FIRST_VARIABLE, "0") not in ("", "0")


def before_final_validation(
    trainer: Any, step: int | None, last_step: int | None, saved: int | None, values: tuple[Any, ...] = ()
) -> None:
    """Called as a validation begins. `saved`: the step saved last. `values`: what `_save_checkpoint` takes."""
    if not wanted() or step is None:
        return
    if last_step is None:
        tell(step, "the run's last step is not known, so nothing was saved before its validation")
        return
    if step != last_step or step == 0:
        return
    if saved == step:
        tell(step, f"step {step} was saved before its validation by the trainer itself")
        return
    if not callable(getattr(trainer, METHOD, None)):
        tell(step, f"{type(trainer).__name__} has no {METHOD}, so step {step} was not saved before its validation")
        return
    try:
        getattr(trainer, METHOD)(*values)
        _leave_out_the_next(trainer, step)
    except Exception as error:
        tell(step, f"saving step {step} before its validation failed with {type(error).__name__}: {error}")
        return
    tell(step, f"step {step} was saved before its validation")


def _leave_out_the_next(trainer: Any, step: int) -> None:
    """An attribute of this trainer alone, in front of its class's method, that stands aside at any other step."""

    def skip(*args: Any, **kwargs: Any) -> Any:
        if step_of(trainer) == step:
            return None
        vars(trainer).pop(METHOD, None)
        return getattr(trainer, METHOD)(*args, **kwargs)

    vars(trainer)[METHOD] = skip


def step_of(trainer: Any) -> int | None:
    """The step a trainer is at, by verl's or transformers' name of it."""
    step = getattr(trainer, "global_steps", None)
    return step if step is not None else getattr(getattr(trainer, "state", None), "global_step", None)


def tell(step: int, words: str) -> None:
    """What was done, or why nothing was."""
    recorder.get().event(NOTICE, step=step, text=f"save-first: {words}")
    say(f"laststep: --save-first: {words}")
