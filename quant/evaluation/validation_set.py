"""Validation sets and rewards: JSON lines or verl's parquet, and a function that scores by rule.

A row has a `prompt` (text, or chat messages), a ground truth (`ground_truth`, or verl's `reward_model.ground_truth`),
and perhaps `uid`, `data_source`, `extra_info`. Rewards have verl's signature and may answer with a number or with a
dictionary that has a `score`. Covers no generation. Imports no torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from quant.errors import EvaluationError
from quant.evaluation.records import Sample

Reward = Callable[..., Any]
"""`reward(data_source, solution_str, ground_truth, extra_info=None)`."""

VERL_REWARD = "verl.utils.reward_score:default_compute_score"


def read_samples(path: Path) -> list[Sample]:
    """The rows in their order, uids unique. Raises `EvaluationError`."""
    rows = list(_parquet(path) if path.suffix == ".parquet" else _json_lines(path))
    samples = [_sample(index, row, path) for index, row in enumerate(rows)]
    seen: set[str] = set()
    for sample in samples:
        if sample.uid in seen:
            raise EvaluationError(
                f"{path}: two rows have the uid `{sample.uid}`", "make them unique, or leave them out"
            )
        seen.add(sample.uid)
    return samples


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"can't read the validation set {path}: {error}", "check the path") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise EvaluationError(f"{path}:{number}: not JSON: {error}", "one JSON object a line") from error
        if not isinstance(row, dict):
            raise EvaluationError(f"{path}:{number}: not a JSON object", "one JSON object a line")
        yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise EvaluationError(f"{path} needs the library pyarrow", "pip install pyarrow, or give JSON lines") from error
    try:
        yield from parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these.
        raise EvaluationError(f"can't read the validation set {path}: {error}", "check the file") from error


def _sample(index: int, row: Mapping[str, Any], path: Path) -> Sample:
    if "prompt" not in row:
        raise EvaluationError(f"{path}: row {index} has no `prompt`", "keys: prompt, ground_truth, uid, data_source")
    reward_model = row.get("reward_model") or {}
    truth = row["ground_truth"] if "ground_truth" in row else reward_model.get("ground_truth")
    if truth is None:
        raise EvaluationError(f"{path}: row {index} has no `ground_truth`", "or verl's reward_model.ground_truth")
    prompt = row["prompt"]
    text = prompt if isinstance(prompt, str) else "\n".join(str(message["content"]) for message in prompt)
    uid = str(row.get("uid", (row.get("extra_info") or {}).get("index", index)))
    rest = {"prompt": prompt, "data_source": row.get("data_source"), "extra_info": row.get("extra_info")}
    return Sample(uid, text, truth, rest)


def prompt_tokens(tokenizer: Any, sample: Sample) -> list[int]:
    """Text as it is; chat messages through the tokenizer's template. Raises `EvaluationError`."""
    prompt = sample.data.get("prompt", sample.input)
    if isinstance(prompt, str):
        return list(tokenizer(prompt, add_special_tokens=True)["input_ids"])
    if not getattr(tokenizer, "chat_template", None):
        raise EvaluationError(
            f"sample {sample.uid} is a chat, but the model's tokenizer has no chat template", "give prompts as text"
        )
    text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def load_reward(name: str | None) -> Reward:
    """`package.module:function` or `file.py:function`; without a name verl's own, where verl is installed.

    Raises `EvaluationError`.
    """
    if name is None:
        if importlib.util.find_spec("verl") is None:
            raise EvaluationError(
                "no reward function is named, and verl is not installed", "reward=package.module:name"
            )
        name = VERL_REWARD
    place, colon, attribute = name.rpartition(":")
    if not (place and colon and attribute):
        raise EvaluationError(f"`{name}` names no reward function", "package.module:function or file.py:function")
    try:
        module = _file_module(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        found = getattr(module, attribute)
    except Exception as error:  # The module may be anyone's, and may fail in any way while it is imported.
        raise EvaluationError(
            f"can't load the reward function `{name}`: {type(error).__name__}: {error}", "check its name"
        ) from error
    if not callable(found):
        raise EvaluationError(f"`{name}` is no function", "package.module:function or file.py:function")
    reward: Reward = found
    return reward


def _file_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"reward_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(reward: Reward, sample: Sample, output: str) -> float:
    """The reward of one output, called as verl calls it."""
    answer = reward(
        data_source=sample.data.get("data_source"),
        solution_str=output,
        ground_truth=sample.ground_truth,
        extra_info=sample.data.get("extra_info"),
    )
    return float(answer["score"] if isinstance(answer, Mapping) else answer)
