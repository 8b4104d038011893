"""What the observers of a verl-like trainer record: phases, validations, weights, checkpoints, scores, the run's end.

One `Training` a process, for the trainer whose `fit` runs in it. The observers are module-level functions, named in the
wrap tables of `demo.py` and its like; their trainer has verl's attributes (`global_steps`, `total_training_steps`,
`config`). What they record is what was executed; the configuration is recorded as the intention that it is.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainer_hooks import recorder, records, save_first
from trainer_hooks.final_validation import FinalValidation
from trainer_hooks.frameworks import settings_of
from trainer_hooks.frameworks.wrapping import Call

TESTING = "testing"
SAVE = "save_checkpoint"
NO_PHASES = frozenset({"step", "start_profile", "stop_profile"})
"""Timers around a whole step or a profiler: no phases."""
TRAINS = frozenset({"update_actor"})
"""Phases that change the trainer's weights. That the engine took them is told by the call that sends them, not by a
phase: the transfer may overlap with what follows."""


@dataclass
class Training:
    """The training under way in this process."""

    trainer: Any = None
    guard: FinalValidation | None = None
    phases: list[str] = field(default_factory=list)
    loaded: int | None = None
    """The step whose checkpoint was loaded, until its weights are sent; V1 loads before `fit`."""
    saved: int | None = None
    """The step that was saved last."""
    fits: int = 0
    """Calls of `fit` under way: a recipe's own may call the one it overrides."""

    @property
    def step(self) -> int | None:
        """The step the trainer is at."""
        step = getattr(self.trainer, "global_steps", None)
        return int(step) if isinstance(step, int) else None


_training = Training()


def rows_expected(trainer: Any) -> int | None:
    """Rows of a full validation: prompts, each as often as the configuration samples it."""
    for name in ("val_dataset", "validation_set", "validation_samples"):
        prompts = getattr(trainer, name, None)
        if prompts is not None and hasattr(prompts, "__len__"):
            times = settings_of.lookup(getattr(trainer, "config", None), "actor_rollout_ref.rollout.val_kwargs.n")
            return len(prompts) * (times if isinstance(times, int) and times > 0 else 1)
    return None


def before_fit(call: Call) -> float | None:
    """Training begins: its configuration, and a guard over its end."""
    _training.fits += 1
    if _training.fits > 1:
        return None
    trainer = call.args[0]
    config = getattr(trainer, "config", None)
    known = settings_of.run_config(config)
    frequency = known.get("test_freq")
    off = f"trainer.test_freq is {frequency}" if isinstance(frequency, int) and frequency <= 0 else ""
    _training.trainer = trainer
    _training.phases = []
    _training.saved = None
    _training.guard = FinalValidation(_last_step(trainer, known), off)
    if _training.loaded is not None:
        _training.guard.weights_loaded(_training.loaded)
    began = time.time()
    recorder.get().event(
        "run_config",
        **{
            **known,
            "validation_rows": rows_expected(trainer),
            "driver_pid": os.getpid(),
            "hooks_dir": records.hooks_directory(),
            "started_at": began,
        },
    )
    return began


def _last_step(trainer: Any, known: Mapping[str, Any]) -> int | None:
    """The step whose validation is final; None where nothing is trained: then it is the step that is validated."""
    config = getattr(trainer, "config", None)
    if settings_of.lookup(config, "trainer.val_only") and known.get("validate_before_train", True):
        return None
    total = getattr(trainer, "total_training_steps", None)
    return int(total) if isinstance(total, int) else known.get("total_steps")


def after_fit(call: Call) -> None:
    """Training ended: the guard speaks."""
    _training.fits -= 1
    if _training.fits > 0:
        return
    failed = type(call.error).__name__ if call.error is not None else ""
    guard = _training.guard
    if guard is not None:
        guard.speak(failed)
    exit_word = "failed" if failed else "finished"
    recorder.get().event("run_end", step=guard.last_step if guard else None, exit=exit_word, error=failed or None)
    _training.trainer = None


def before_phase(call: Call) -> float | None:
    """A timer of the trainer begins: a phase, unless it times a whole step. Workers time things of their own."""
    phase = _phase_name(call)
    if _training.trainer is None or phase in NO_PHASES:
        return None
    _begin(phase)
    return time.monotonic()


def after_phase(call: Call) -> None:
    """A timer ended."""
    phase = _phase_name(call)
    if call.state is None:
        return
    guard, step = _training.guard, _training.step
    if guard is not None and step is not None and call.error is None and phase in TRAINS:
        guard.weights_trained(step)
    _end(phase, call)


def _phase_name(call: Call) -> str:
    return str(call.args[0] if call.args else call.kwargs.get("name"))


def _begin(phase: str) -> None:
    _training.phases.append(phase)
    step = _training.step
    if _training.guard is not None and step is not None:
        _training.guard.step_reached(step)
    data = {"total": rows_expected(_training.trainer)} if phase == TESTING else {}
    recorder.get().event("phase_begin", step=step, phase=phase, **data)


def _end(phase: str, call: Call) -> None:
    if phase in _training.phases:
        _training.phases.remove(phase)
    data: dict[str, Any] = {"seconds": time.monotonic() - call.state} if isinstance(call.state, float) else {}
    if call.error is not None:
        data["error"] = type(call.error).__name__
    recorder.get().event("phase_end", step=_training.step, phase=phase, **data)


def before_validate(call: Call) -> float | None:
    """A validation begins; its phase too, where no timer has begun it."""
    _training.trainer = call.args[0]
    step = _training.step
    guard = _training.guard
    save_first.before_final_validation(call.args[0], step, guard.total_steps if guard else None, _training.saved)
    if _training.guard is not None and step is not None:
        _training.guard.validation_began(step, rows_expected(_training.trainer))
    if TESTING in _training.phases:
        return None
    _begin(TESTING)
    return time.monotonic()


def after_validate(call: Call) -> None:
    """A validation ended: its scores."""
    if _training.guard is not None:
        _training.guard.validation_ended(type(call.error).__name__ if call.error is not None else "")
    for metric, value in numbers(call.result).items():
        if metric.startswith("val-core/"):
            recorder.get().event("score", step=_training.step, metric=metric, value=value)
    if call.state is not None:
        _end(TESTING, call)


def before_metrics(call: Call) -> None:
    """The validation under way has all its rows and makes metrics of them."""
    rows = call.arguments().get("sample_uids")
    if _training.guard is not None and rows is not None and _sized(rows):
        _training.guard.rows_seen(len(rows))


def after_dump(call: Call) -> None:
    """A validation's generations were written. (Training's are written by the same function, outside a validation.)"""
    if call.error is not None or TESTING not in _training.phases:
        return
    given = call.arguments()
    scores, target = given.get("scores"), given.get("dump_path")
    rows = next((len(given[name]) for name in ("outputs", "inputs", "scores") if _sized(given.get(name))), None)
    if rows is None or target is None:
        return
    if _training.guard is not None:
        _training.guard.rows_seen(rows)
    plain = [float(score) for score in scores or () if isinstance(score, (int, float))] if _sized(scores) else []
    path = str(target) if str(target).endswith(".jsonl") else os.path.join(str(target), f"{_training.step}.jsonl")
    mean = sum(plain) / len(plain) if plain else None
    recorder.get().event("dump", step=_training.step, path=os.path.abspath(path), rows=rows, mean_score=mean)


def _sized(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def before_checkpoint(call: Call) -> float | None:
    """A checkpoint is about to be saved: a phase, where no timer has begun it."""
    if _training.trainer is None or SAVE in _training.phases:
        return None
    _begin(SAVE)
    return time.monotonic()


def after_checkpoint(call: Call) -> None:
    """A checkpoint was saved; complete where the marker, written last, names it."""
    if call.state is not None:
        _end(SAVE, call)
    if call.error is not None:
        return
    step = _training.saved = _training.step
    folder = settings_of.lookup(getattr(_training.trainer, "config", None), "trainer.default_local_dir")
    if folder is None or step is None:
        return
    try:
        with open(os.path.join(str(folder), "latest_checkpointed_iteration.txt"), encoding="ascii") as marker:
            complete = int(marker.read(32)) >= step
    except (OSError, ValueError):
        complete = False
    path = os.path.abspath(os.path.join(str(folder), f"global_step_{step}"))
    recorder.get().event("checkpoint", step=step, path=path, complete=complete)


def syncs_are_seen() -> None:
    """The call that sends weights to the engine is observed in this process."""
    if _training.guard is not None:
        _training.guard.syncs_are_seen()


def after_load(call: Call) -> None:
    """The trainer took a checkpoint's weights, where there was one."""
    step = getattr(call.args[0], "global_steps", None)
    if call.error is None and isinstance(step, int) and step > 0:
        _training.loaded = step
        if _training.guard is not None:
            _training.guard.weights_loaded(step)


def after_weights(call: Call) -> None:
    """The trainer sent its weights to the engine."""
    if call.error is None:
        _training.loaded = None
        if _training.guard is not None:
            _training.guard.weights_sent()


def after_log(call: Call) -> None:
    """All metrics of a step went to the trackers."""
    given = call.arguments()
    step = given.get("step")
    if call.error is None and isinstance(step, int):
        recorder.get().event("step_end", step=step, metrics=numbers(given.get("data")))


def numbers(metrics: Any) -> dict[str, float]:
    """The plain numbers of a metrics dictionary. A tensor is left out: reading it may wait for a device."""
    if not isinstance(metrics, Mapping):
        return {}
    plain: dict[str, float] = {}
    for name, value in metrics.items():
        if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
            value = value.item()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            plain[str(name)] = float(value)
    return plain


def _at_exit() -> None:
    """The process ends while `fit` has not: the guard has not spoken yet."""
    if _training.guard is not None and _training.trainer is not None:
        _training.guard.speak("the end of its process")


def _forget() -> None:
    """In a forked child, which trains nothing."""
    global _training
    _training = Training()


os.register_at_fork(after_in_child=_forget)
atexit.register(_at_exit)
