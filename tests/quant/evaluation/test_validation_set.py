"""Validation sets and rewards: verl's rows and plain ones are read; what is wrong with one is told in a sentence."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from quant.errors import EvaluationError
from quant.evaluation.validation_set import load_reward, prompt_tokens, read_samples, score

CHAT = [{"role": "user", "content": "1 + 1 ="}]
VERL = {"prompt": CHAT, "reward_model": {"ground_truth": "2"}, "data_source": "sums", "extra_info": {"index": 7}}


def write(path: Path, *rows: Any) -> Path:
    """JSON lines."""
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def test_plain_and_verls_rows_are_read(tmp_path: Path) -> None:
    plain = {"prompt": "1 + 1 =", "ground_truth": "2", "uid": "a"}
    first, second, third = read_samples(write(tmp_path / "v.jsonl", plain, VERL, {**plain, "uid": "b"}))
    assert (first.uid, first.input, first.ground_truth) == ("a", "1 + 1 =", "2")
    assert (second.uid, second.input, second.ground_truth, third.uid) == ("7", "1 + 1 =", "2", "b")
    assert second.data == {"prompt": CHAT, "data_source": "sums", "extra_info": {"index": 7}}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (({"ground_truth": "2"},), "row 0 has no `prompt`"),
        (({"prompt": "1"},), "row 0 has no `ground_truth`"),
        (('{"prompt": \n',), "v.jsonl:1: not JSON"),
        (("[1]\n",), "v.jsonl:1: not a JSON object"),
        (({"prompt": "1", "ground_truth": "2", "uid": "a"},) * 2, "two rows have the uid `a`"),
    ],
)
def test_a_row_that_is_none_is_named(rows: tuple[Any, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        read_samples(write(tmp_path / "v.jsonl", *rows))
    assert words in str(caught.value) and caught.value.HELP_TEXT


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="can't read the validation set"):
        read_samples(tmp_path / "none.jsonl")


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed here")
def test_parquet_without_pyarrow_names_it(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="needs the library pyarrow"):
        read_samples(tmp_path / "v.parquet")


def test_rewards_are_called_as_verl_calls_them(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def number(data_source, solution_str, ground_truth, extra_info=None):\n"
        "    assert (data_source, extra_info) == ('sums', {'index': 7})\n"
        "    return solution_str == ground_truth\n"
        "def document(**words):\n"
        "    return {'score': 0.5, 'acc': 1}\n"
        "constant = 3\n"
    )
    (sample,) = read_samples(write(tmp_path / "v.jsonl", VERL))
    assert score(load_reward(f"{tmp_path}/own.py:number"), sample, "2") == 1.0
    assert score(load_reward(f"{tmp_path}/own.py:document"), sample, "2") == 0.5
    with pytest.raises(EvaluationError, match="is no function"):
        load_reward(f"{tmp_path}/own.py:constant")


@pytest.mark.parametrize("name", ["own", "own:", ":own", "no_such_module:f", "/no/such/file.py:f", "json:no_such_name"])
def test_a_reward_that_is_none_is_named(name: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_reward(name)
    assert name in str(caught.value) and caught.value.HELP_TEXT


@pytest.mark.skipif(importlib.util.find_spec("verl") is not None, reason="verl is installed here")
def test_no_reward_is_ever_invented() -> None:
    with pytest.raises(EvaluationError, match="no reward function is named"):
        load_reward(None)


def test_a_chat_needs_a_template(tmp_path: Path) -> None:
    class Tokenizer:
        """A tokenizer's shape, without a chat template."""

        chat_template = None

    (sample,) = read_samples(write(tmp_path / "v.jsonl", VERL))
    with pytest.raises(EvaluationError, match="sample 7 is a chat, but the model's tokenizer has no chat template"):
        prompt_tokens(Tokenizer(), sample)
