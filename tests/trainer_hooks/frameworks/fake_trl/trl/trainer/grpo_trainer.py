"""GRPOTrainer with TRL 1.16's method names, signatures and order of calls, and numbers in place of tensors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any


class Handler:
    """Calls the callbacks, as transformers' CallbackHandler does."""

    def __init__(self, callbacks: Sequence[Any]) -> None:
        self.callbacks = list(callbacks)

    def call_event(self, event: str, trainer: Any, **kwargs: Any) -> None:
        """One event to all."""
        for callback in self.callbacks:
            getattr(callback, event)(trainer.args, trainer.state, trainer.control, model=None, **kwargs)


class Trainer:
    """transformers.Trainer: the loop, and what GRPOTrainer inherits."""

    def __init__(self, folder: str, steps: int = 2, eval_strategy: str = "steps", callbacks: Sequence[Any] = ()):
        self.args = SimpleNamespace(
            output_dir=folder,
            run_name="tiny",
            eval_strategy=eval_strategy,
            eval_steps=1,
            save_strategy="steps",
            save_steps=steps,
            eval_on_start=False,
        )
        self.state = SimpleNamespace(global_step=0, max_steps=0, log_history=[])
        self.control = SimpleNamespace()
        self.accelerator = SimpleNamespace(num_processes=1)
        self.callback_handler = Handler(callbacks)
        self.eval_dataset: Any = list(range(3))
        self.num_generations_eval = 2
        self.steps = steps
        self.faults: set[str] = set()

    def is_world_process_zero(self) -> bool:
        """The first process of the training."""
        return True

    def train(self) -> str:
        """Steps, each with its batches, then evaluation and, at the end, a checkpoint."""
        self.state.max_steps = self.steps
        self.callback_handler.call_event("on_train_begin", self)
        for step in range(1, self.steps + 1):
            self.callback_handler.call_event("on_step_begin", self)
            for _ in range(2):
                self._generate_and_score_completions([{}] * 4)
                self.compute_loss(None, {})
            if "training" in self.faults:
                raise MemoryError
            self.state.global_step = step
            self.callback_handler.call_event("on_step_end", self)
            self.log({"loss": 0.5, "grad_norm": 1.0})
            if self.args.eval_strategy == "steps":
                self.evaluate()
            if step == self.steps:
                self._save_checkpoint(None, None)
        self.callback_handler.call_event("on_train_end", self)
        return "trained"

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Every prompt `num_generations_eval` times."""
        data = self.eval_dataset if eval_dataset is None else eval_dataset
        if isinstance(data, dict):
            return {name: self.evaluate(one) for name, one in data.items()}
        self._generate_and_score_completions([{}] * (len(data) * self.num_generations_eval), validation=True)
        if "evaluation" in self.faults:
            raise ValueError("reward function")
        self.log({"eval_reward": 0.25, "eval_rewards/vowels/mean": 0.25, "eval_rewards/vowels/std": 0.1})
        return {"eval_loss": 0.0}

    def log(self, logs: dict[str, float]) -> None:
        """Metrics to the history and to the callbacks."""
        self.state.log_history.append({**logs, "step": self.state.global_step})
        self.callback_handler.call_event("on_log", self, logs=logs)


class GRPOTrainer(Trainer):
    """What TRL adds."""

    def _generate_and_score_completions(self, inputs: list[Any], validation: bool = False) -> Any:
        self._generate(inputs)
        return self._calculate_rewards(inputs)

    def _generate(self, prompts: list[Any]) -> Any:
        return prompts

    def _calculate_rewards(self, inputs: list[Any]) -> Any:
        return inputs

    def compute_loss(self, model: Any, inputs: Any) -> float:
        """The loss of a batch."""
        return 0.5

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = os.path.join(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        os.makedirs(folder)
        with open(os.path.join(folder, "trainer_state.json"), "w", encoding="ascii") as file:
            file.write("{}")
