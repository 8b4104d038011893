"""A small GRPO training with TRL on a CPU: `laststep run -- python examples/trl_cpu/train.py OUT`.

Needs the environment of `make env-real` (or TRL and any small chat model). The reward is the share of vowels among a
completion's letters, which a random model earns some of, so that gradients are not zero. Takes about 15 s.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def vowels(completions: list[Any], **_: Any) -> list[float]:
    """Share of vowels among the letters of each completion, 0.0 where it has none."""
    texts = [one if isinstance(one, str) else one[0]["content"] for one in completions]
    letters = [[letter for letter in text.lower() if letter.isalpha()] for text in texts]
    return [sum(letter in "aeiou" for letter in word) / len(word) if word else 0.0 for word in letters]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a new folder for checkpoints and the result")
    parser.add_argument("--model", type=Path, default=ROOT / ".venv-real" / "tiny" / "model")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--eval-steps", type=int, default=1, help="0: no evaluation inside training")
    parser.add_argument("--evaluate-after", action="store_true", help="call trainer.evaluate() after train()")
    parser.add_argument("--evaluate-rows", type=int, help="…on so many prompts only")
    parser.add_argument("--callback", action="store_true", help="ask for the hooks by TRL's `callbacks`")
    return parser.parse_args()


def main() -> None:
    """Train, evaluate, and write the last logged metrics."""
    given = arguments()
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    prompts = [[{"role": "user", "content": f"What is {a} + {b}?"}] for a in range(4) for b in range(4)]
    data = Dataset.from_list([{"prompt": prompt} for prompt in prompts])
    args = GRPOConfig(
        output_dir=str(given.out),
        run_name="trl-tiny",
        max_steps=given.steps,
        per_device_train_batch_size=4,
        num_generations=4,
        num_generations_eval=2,
        per_device_eval_batch_size=4,
        max_completion_length=16,
        learning_rate=1e-3,
        logging_steps=1,
        save_steps=given.steps,
        eval_strategy="steps" if given.eval_steps else "no",
        eval_steps=given.eval_steps or None,
        use_cpu=True,
        bf16=False,
        report_to=[],
        gradient_checkpointing=False,
        disable_tqdm=True,
    )
    callbacks: list[Any] = []
    if given.callback:
        from trainer_hooks.frameworks.trl import LaststepCallback

        callbacks = [LaststepCallback()]
    trainer = GRPOTrainer(
        str(given.model), vowels, args, train_dataset=data, eval_dataset=data.select(range(6)), callbacks=callbacks
    )
    trainer.train()
    if given.evaluate_after:
        trainer.evaluate(data.select(range(given.evaluate_rows)) if given.evaluate_rows else None)
    (given.out / "history.json").write_text(json.dumps(trainer.state.log_history, indent=1))


if __name__ == "__main__":
    main()
