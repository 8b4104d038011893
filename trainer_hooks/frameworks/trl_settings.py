"""What TRL's trainer and its GRPOConfig say: the run's configuration, the rows of a full evaluation, logged scores.

Also whether its last checkpoint can be saved before the evaluation, where a person asked for that.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from trainer_hooks import records, save_first
from trainer_hooks.frameworks.training import numbers

SCORE = re.compile(r"^eval_(reward|rewards/.+/mean)$")


def why_off(trainer: Any) -> str:
    """Why the configuration asks for no evaluation; empty where it asks for one."""
    if getattr(trainer, "eval_dataset", None) is None:
        return "the trainer was given no eval_dataset"
    strategy = word(getattr(trainer.args, "eval_strategy", None))
    return "eval_strategy is no" if strategy == "no" else ""


def word(value: Any) -> str:
    """The value of transformers' enumerations, which are strings."""
    return str(getattr(value, "value", value))


def rows_expected(trainer: Any) -> int | None:
    """Completions of a full evaluation: every prompt of every dataset, `num_generations_eval` times each."""
    sets = getattr(trainer, "eval_dataset", None)
    times = getattr(trainer, "num_generations_eval", None) or getattr(trainer, "num_generations", 1)
    several: list[Any] = list(sets.values()) if isinstance(sets, Mapping) else [sets]
    sized = [one for one in several if hasattr(one, "__len__")]
    if len(sized) < len(several):
        return None
    return sum(len(one) for one in sized) * int(times or 1)


def configuration(trainer: Any) -> dict[str, Any]:
    """The fields of the RUN_CONFIG record."""
    args = trainer.args
    model = getattr(getattr(trainer, "model", None), "config", None)
    folder = os.path.abspath(args.output_dir)
    by_steps = {name: word(getattr(args, f"{name}_strategy", "no")) == "steps" for name in ("eval", "save")}
    known = {
        "trainer": "trl",
        "experiment": getattr(args, "run_name", None) or os.path.basename(folder),
        "project": getattr(args, "project", None),
        "test_freq": int(args.eval_steps) if by_steps["eval"] and (args.eval_steps or 0) >= 1 else None,
        "save_freq": int(args.save_steps) if by_steps["save"] and (args.save_steps or 0) >= 1 else None,
        "validate_before_train": bool(getattr(args, "eval_on_start", False)),
        # transformers' Trainer._maybe_log_save_evaluate: evaluate, then save.
        "save_order": "validate-first",
        "checkpoint_dir": folder,
        "model_path": getattr(model, "_name_or_path", None) or None,
        "validation_rows": rows_expected(trainer),
        "driver_pid": os.getpid(),
        "hooks_dir": records.hooks_directory(),
        "started_at": time.time(),
    }
    return {name: value for name, value in known.items() if value is not None}


def scores(trainer: Any, step: int) -> dict[str, float]:
    """Evaluation rewards as they were logged last. `evaluate` itself returns none of them."""
    history = getattr(trainer.state, "log_history", None) or [{}]
    last = numbers(history[-1]) if history[-1].get("step") == step else {}
    return {name: value for name, value in last.items() if SCORE.match(name)}


def save_first_where_asked(trainer: Any, step: int, last_step: int | None, saved: int | None) -> None:
    """Save before the final evaluation. The best model is chosen by the evaluation: that save can't come before it."""
    if not save_first.wanted() or step != last_step:
        return
    best = word(getattr(trainer.args, "save_strategy", "")) == "best"
    if best or getattr(trainer.args, "load_best_model_at_end", False):
        save_first.tell(step, "what is saved depends on the evaluation (best model), so nothing was saved first")
        return
    values = (getattr(trainer, "model", None), None)
    save_first.before_final_validation(trainer, step, last_step, saved, values)
