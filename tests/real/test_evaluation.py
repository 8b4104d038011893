"""Evaluation by both engines, from the command line: equal scores, proof, and one sentence for a bad checkpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from examples.tiny_model import make
from quant.errors import WeightsError
from quant.evaluation import hugging_face
from tests.real.conftest import run_child

pytestmark = [pytest.mark.real_vllm, pytest.mark.timeout(1800)]

REWARD = """
def digits(data_source, solution_str, ground_truth, extra_info=None):
    return {"score": sum(c.isdigit() for c in solution_str) / max(len(solution_str), 1)}
"""
ROWS = 6


@pytest.fixture(scope="module")
def data(laboratory: Path) -> Path:
    """A validation set and a reward."""
    (laboratory / "reward.py").write_text(REWARD)
    rows = [{"prompt": f"{left} + {left + 3} = ", "ground_truth": str(2 * left + 3)} for left in range(ROWS)]
    (laboratory / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return laboratory


def evaluated(data: Path, engine: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    known = f"reward={data}/reward.py:digits"
    command = ["-m", "quant.evaluation", str(data / "first"), str(data / "validation.jsonl")]
    chosen = ["--engine", engine.replace("REWARD", known), "--out", str(data / engine.partition("?")[0])]
    return run_child([*command, *chosen, "--max-tokens", "8", *words], data, **settings)


@pytest.fixture(scope="module")
def reference(data: Path) -> dict[str, Any]:
    """The result by transformers."""
    child = evaluated(data, "transformers?REWARD")
    assert child.returncode == 0, child.stderr[-3000:]
    return dict(json.loads(child.stdout))


@pytest.fixture(scope="module")
def served(data: Path) -> dict[str, Any]:
    """The result by vLLM, its engine in a process of its own; refused were it the second model's weights."""
    words = ("--start-model", str(data / "second"))
    engine = "vllm?REWARD&eager=true&max_model_len=64"
    child = evaluated(data, engine, *words, VLLM_ENABLE_V1_MULTIPROCESSING="1")
    assert child.returncode == 0, child.stdout[-2000:] + child.stderr[-5000:]
    return dict(json.loads(child.stdout[child.stdout.index("{\n") :]))


def dumped(data: Path, engine: str) -> list[dict[str, Any]]:
    """The dump's lines."""
    return [json.loads(line) for line in (data / engine / "0.jsonl").read_text().splitlines()]


def test_vllm_in_its_own_process_proves_every_layer(served: dict[str, Any], data: Path) -> None:
    assert served["refusals"] == [] and served["rows"] == ROWS
    document = json.loads((data / "vllm" / "attestation.json").read_text())
    assert document["active_layers"] == document["expected_layers"] == 16
    assert document["engine"]["quantization"] == "laststep_mxfp4" and document["engine"]["workers"] == 1


def test_both_engines_say_the_same(served: dict[str, Any], reference: dict[str, Any], data: Path) -> None:
    assert served["value"] == pytest.approx(reference["value"], abs=1e-12)
    for mine, theirs in zip(dumped(data, "vllm"), dumped(data, "transformers"), strict=True):
        assert mine["log_probability"] == pytest.approx(theirs["log_probability"], abs=1e-3)
        assert {**mine, "log_probability": 0} == {**theirs, "log_probability": 0}


def weights_of(folder: Path) -> dict[str, Any]:
    """The stored tensors."""
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def refused(data: Path, folder: Path, change: Any) -> str:
    """The sentence about the first model with its tensors changed."""
    from safetensors.torch import save_file

    shutil.copytree(data / "first", folder)
    weights = weights_of(folder)
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError) as caught:
        hugging_face.check(folder)
    assert caught.value.HELP_TEXT
    return str(caught.value)


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (lambda w: w.pop("model.norm.weight"), "the checkpoint lacks model.norm.weight"),
    "extra": (lambda w: w.update(more=w["lm_head.weight"].clone()), "holds tensors the model hasn't: more"),
    "shape": (
        lambda w: w.update({"lm_head.weight": w["lm_head.weight"][:5].clone()}),
        "lm_head.weight is (5, 128) in the checkpoint, (512, 128) in the model's config.json",
    ),
    "adapter": (
        lambda w: w.update({"base_model.model.q_proj.lora_A.weight": w["lm_head.weight"].clone()}),
        "holds a LoRA adapter that isn't merged: base_model.model.q_proj.lora_A.weight",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_checkpoint_that_is_no_whole_model_is_one_sentence(kind: str, data: Path, tmp_path: Path) -> None:
    change, words = CHANGES[kind]
    assert words in refused(data, tmp_path / kind, change)


def test_tied_embeddings_are_a_whole_model_and_an_own_head_beside_them_is_none(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    make(tmp_path / "tied", tied=True)
    assert hugging_face.check(tmp_path / "tied").tie_word_embeddings
    weights = weights_of(tmp_path / "tied")
    assert "lm_head.weight" not in weights
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"] * 2
    save_file(weights, tmp_path / "tied" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="says that embeddings are tied, but lm_head"):
        hugging_face.check(tmp_path / "tied")


def test_a_bad_checkpoint_ends_the_command_with_one_sentence_and_2(data: Path, tmp_path: Path) -> None:
    words = ["-m", "quant.evaluation", str(tmp_path), str(data / "validation.jsonl"), "--out", str(tmp_path / "out")]
    child = run_child([*words, "--engine", f"transformers?reward={data}/reward.py:digits"], data)
    assert child.returncode == 2 and "holds no weights that can be read" in child.stderr
    assert len(child.stderr.strip().splitlines()) == 1 and child.stdout == ""
