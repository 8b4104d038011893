"""What is observed of TRL's GRPOTrainer: phases, samples, evaluations with their rows, scores, checkpoints, the guard.

Checked against TRL 1.16.0 on transformers 5. The words are those of the other trainers: `gen`, `reward`,
`update_actor`, `testing`, `save_checkpoint`. Evaluation runs in the trainer's own process on the weights that were just
trained, so no weight sync stands between them. Rows are the completions that were generated and scored, each process of
a distributed training counting as many as the first one, which alone records. Not observed: an `evaluate` that a
subclass replaces without calling TRL's, and vLLM's own process.
"""

from __future__ import annotations

import atexit
import os
import time
from dataclasses import dataclass, field
from typing import Any

from trainer_hooks import install, recorder, records
from trainer_hooks.final_validation import EXECUTED, FinalValidation
from trainer_hooks.frameworks import trl_settings
from trainer_hooks.frameworks.training import SAVE, TESTING, numbers
from trainer_hooks.frameworks.wrapping import Call, Wrap

MODULE = "trl.trainer.grpo_trainer"
CLASS = "GRPOTrainer"
ROLLOUT, REWARD, UPDATE = "gen", "reward", "update_actor"


@dataclass
class TrlTraining:
    """The training under way in this process."""

    trainer: Any = None
    guard: FinalValidation | None = None
    in_train: bool = False
    evaluating: int = 0
    """Calls of `evaluate` under way: with several datasets it calls itself."""
    rows: int = 0
    """Completions of the evaluation under way, of all processes."""
    saved: int | None = None
    """The step that was saved last."""
    logged: int | None = None
    """The step whose metrics were logged last."""
    open: dict[str, float] = field(default_factory=dict)
    """Phases under way → when they began (monotonic)."""

    @property
    def step(self) -> int:
        """Optimizer steps that are done."""
        return int(getattr(getattr(self.trainer, "state", None), "global_step", 0) or 0)


_now = TrlTraining()


class StepCallback:
    """The events of transformers' callbacks that are needed; every other `on_…` does nothing."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The number of steps is known."""
        _safely(_begun, state)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The optimizer made a step."""
        _safely(_stepped, int(state.global_step))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Metrics of a step went to the trackers."""
        _safely(_logged, int(state.global_step), logs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return _nothing
        raise AttributeError(name)


def wraps() -> tuple[Wrap, ...]:
    """All that is observed. Methods inherited from transformers are wrapped on TRL's class alone."""

    def method(name: str, before: Any = None, after: Any = None) -> Wrap:
        return Wrap(MODULE, f"{CLASS}.{name}", before, after)

    return (
        method("train", before_train, after_train),
        method("evaluate", before_evaluate, after_evaluate),
        method("_generate", before_generate, after_generate),
        method("_generate_and_score_completions", None, after_samples),
        method("_calculate_rewards", before_reward, after_reward),
        method("compute_loss", before_loss),
        method("_save_checkpoint", before_save, after_save),
    )


def before_train(call: Call) -> None:
    """Training begins: its configuration, and a guard over its end."""
    install.driver()
    trainer = call.args[0]
    if not trainer.is_world_process_zero():
        return
    _finish("")
    _adopt(trainer)
    _now.in_train = True
    handler = trainer.callback_handler
    if not any(isinstance(callback, StepCallback) for callback in handler.callbacks):
        handler.callbacks.append(StepCallback())
    recorder.get().event("run_config", **trl_settings.configuration(trainer))


def _adopt(trainer: Any) -> None:
    global _now
    _now = TrlTraining(trainer, FinalValidation(None, trl_settings.why_off(trainer)))


def _begun(state: Any) -> None:
    if _now.guard is not None and _now.in_train and isinstance(state.max_steps, int):
        _now.guard.total_steps = state.max_steps
        recorder.get().event("run_config", total_steps=state.max_steps)


def _stepped(step: int) -> None:
    if not _now.in_train or _now.guard is None or _now.guard.last_step == step:
        return
    _end(UPDATE, step)
    _now.guard.weights_trained(step)
    _now.guard.weights_sent()


def _logged(step: int, logs: Any) -> None:
    metrics = numbers(logs)
    if _now.in_train and not _now.evaluating and "loss" in metrics and _now.logged != step:
        _now.logged = step
        recorder.get().event("step_end", step=step, metrics=metrics)


def after_train(call: Call) -> None:
    """Training ended. A final validation that is still missing may be asked for by the script itself."""
    if _now.trainer is not call.args[0] or not _now.in_train:
        return
    _now.in_train = False
    guard = _now.guard
    if guard is not None and call.error is None and guard.last_step is not None:
        # A callback stopped it: the step it stopped at is the run's last.
        guard.total_steps = guard.last_step
    if call.error is not None:
        _finish(type(call.error).__name__)
    elif guard is not None and guard.verdict().final_validation == EXECUTED:
        _finish("")


def before_evaluate(call: Call) -> None:
    """An evaluation begins."""
    trainer = call.args[0]
    if _now.trainer is not trainer:
        if _now.in_train or not trainer.is_world_process_zero():
            return
        _finish("")
        _adopt(trainer)
    _now.evaluating += 1
    if _now.evaluating > 1:
        return
    _now.rows = 0
    if _now.in_train and _now.guard is not None:
        trl_settings.save_first_where_asked(trainer, _now.step, _now.guard.total_steps, _now.saved)
    total = trl_settings.rows_expected(trainer)
    if _now.guard is not None:
        _now.guard.validation_began(_now.step, total)
    _begin(TESTING, _now.step, total=total)


def after_evaluate(call: Call) -> None:
    """It ended: its rows and its scores."""
    if _now.trainer is not call.args[0] or not _now.evaluating:
        return
    _now.evaluating -= 1
    if _now.evaluating:
        return
    failed = type(call.error).__name__ if call.error is not None else ""
    if _now.guard is not None:
        _now.guard.rows_seen(_now.rows)
        _now.guard.validation_ended(failed)
    if not failed:
        for metric, value in trl_settings.scores(_now.trainer, _now.step).items():
            recorder.get().event("score", step=_now.step, metric=metric, value=value)
    _end(TESTING, _now.step, failed)
    if not _now.in_train and _now.guard is not None and _now.guard.verdict().final_validation == EXECUTED:
        _finish("")


def before_generate(call: Call) -> None:
    """Completions of a training batch are generated."""
    if _training(call):
        _end(UPDATE, _now.step + 1)
        _begin(ROLLOUT, _now.step + 1)


def after_generate(call: Call) -> None:
    """They are there."""
    _end(ROLLOUT, _now.step + 1, type(call.error).__name__ if call.error is not None else "")


def before_reward(call: Call) -> None:
    """Completions are scored."""
    if _training(call):
        _begin(REWARD, _now.step + 1)


def after_reward(call: Call) -> None:
    """They are scored."""
    _end(REWARD, _now.step + 1, type(call.error).__name__ if call.error is not None else "")


def after_samples(call: Call) -> None:
    """Completions are generated and scored, an input each."""
    if call.error is not None or _now.trainer is not call.args[0]:
        return
    inputs = call.args[1] if len(call.args) > 1 else call.kwargs.get("inputs")
    count = len(inputs or ()) * int(getattr(getattr(call.args[0], "accelerator", None), "num_processes", 1) or 1)
    if _now.evaluating:
        # The last batches of several processes are filled up with rows that were there before.
        total = trl_settings.rows_expected(call.args[0])
        count = count if total is None else min(count, max(0, total - _now.rows))
        _now.rows += count
    recorder.get().add(records.validation_samples(_now.step) if _now.evaluating else records.ROLLOUT_SAMPLES, count)


def before_loss(call: Call) -> None:
    """The policy's loss on a batch: its update begins with the first one of a step."""
    if _training(call) and UPDATE not in _now.open:
        _begin(UPDATE, _now.step + 1)


def before_save(call: Call) -> None:
    """A checkpoint is about to be saved."""
    if _now.trainer is call.args[0]:
        _begin(SAVE, _now.step)


def after_save(call: Call) -> None:
    """A checkpoint was saved: complete where the trainer's state, written last, is there."""
    if SAVE not in _now.open or _now.trainer is not call.args[0]:
        return
    _end(SAVE, _now.step, type(call.error).__name__ if call.error is not None else "")
    if call.error is None:
        _now.saved = _now.step
        path = os.path.join(os.path.abspath(_now.trainer.args.output_dir), f"checkpoint-{_now.step}")
        complete = os.path.isfile(os.path.join(path, "trainer_state.json"))
        recorder.get().event("checkpoint", step=_now.step, path=path, complete=complete)


def _training(call: Call) -> bool:
    return _now.in_train and not _now.evaluating and _now.trainer is call.args[0]


def _begin(phase: str, step: int, **data: Any) -> None:
    _now.open[phase] = time.monotonic()
    if _now.guard is not None and _now.in_train and phase != TESTING:
        _now.guard.step_reached(_now.step)
    recorder.get().event("phase_begin", step=step, phase=phase, **data)


def _end(phase: str, step: int, failed: str = "") -> None:
    began = _now.open.pop(phase, None)
    if began is not None:
        error = {"error": failed} if failed else {}
        recorder.get().event("phase_end", step=step, phase=phase, seconds=time.monotonic() - began, **error)


def _finish(failed: str) -> None:
    """The run is over: the guard speaks, once."""
    guard = _now.guard
    if guard is None or guard.spoken or guard.last_step is None:
        return
    guard.speak(failed)
    word = "failed" if failed else "finished"
    recorder.get().event("run_end", step=guard.last_step, exit=word, error=failed or None)


def _at_exit() -> None:
    _safely(_finish, "the end of its process" if _now.in_train else "")


def _safely(function: Any, *values: Any) -> None:
    try:
        function(*values)
    except Exception as error:
        recorder.get().failed(getattr(function, "__name__", "callback"), error)


def _nothing(*args: Any, **kwargs: Any) -> None:
    """An event nobody needs."""


def _forget() -> None:
    """In a forked child, which trains nothing."""
    global _now
    _now = TrlTraining()


os.register_at_fork(after_in_child=_forget)
atexit.register(_at_exit)
