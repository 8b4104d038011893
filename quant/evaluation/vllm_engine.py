"""The engine `vllm`: the recipe as an out-of-tree quantization, attested from inside vLLM's worker.

Covers starting one engine for one evaluation, generation with a seed for each request, and the attestation by
`collective_rpc`. Prefix caching is off, so that every token of every prompt goes through the layers that are counted.
Imports vLLM inside its functions.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from quant import vllm_plugin
from quant.errors import EvaluationError
from quant.evaluation import hugging_face, validation_set
from quant.evaluation.records import EvaluationRequest, Generation, Sample, Sampling

EXTENSION = "quant.vllm.worker.LaststepWorker"
SECONDS_TO_STOP = 30


def _truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError(f"`{word}` is neither true nor false")
    return word == "true"


class VllmEngine:
    """vLLM in this process or in its own, as its environment says."""

    name = "vllm"
    OPTIONS: ClassVar[dict[str, Any]] = {
        "reward": str,
        "batch_rows": int,
        "max_model_len": int,
        "eager": _truth,
        "gpu_memory_utilization": float,
    }

    def __init__(
        self,
        reward: str | None = None,
        batch_rows: int = 256,
        max_model_len: int | None = None,
        eager: bool = False,
        gpu_memory_utilization: float | None = None,
    ) -> None:
        self.batch_rows = batch_rows
        self._reward_name = reward
        self._reward: Any = None
        self._settings: dict[str, Any] = {"enforce_eager": eager, "max_model_len": max_model_len}
        if gpu_memory_utilization is not None:
            self._settings["gpu_memory_utilization"] = gpu_memory_utilization

    def read_samples(self, path: Path) -> list[Sample]:
        """The rows; and the reward function, whose absence shows before any work."""
        if importlib.util.find_spec("vllm") is None:
            raise EvaluationError("the engine `vllm` needs vLLM, which is not installed here", "pip install vllm")
        self._reward = validation_set.load_reward(self._reward_name)
        return validation_set.read_samples(path)

    @contextmanager
    def open(self, request: EvaluationRequest) -> Iterator[VllmModel]:
        """vLLM with the checkpoint and the recipe. Raises where vLLM won't see it, or the checkpoint isn't whole."""
        if request.recipe is not None:
            vllm_plugin.check_visible()
        hugging_face.check(request.checkpoint)
        with tempfile.TemporaryDirectory(prefix="laststep-model-") as scratch:
            folder = request.checkpoint
            if not hugging_face.is_loadable(folder):
                folder = Path(scratch)
                hugging_face.write_folder(request.checkpoint, folder)
            model = VllmModel(_start(folder, request, self._settings), request)
            try:
                yield model
            finally:
                model.stop()

    def score(self, sample: Sample, generation: Generation) -> float:
        """By the reward function."""
        return validation_set.score(self._reward, sample, generation.output)


def _start(folder: Path, request: EvaluationRequest, settings: dict[str, Any]) -> Any:
    from vllm import LLM

    words: dict[str, Any] = {
        "model": str(folder),
        "dtype": request.dtype,
        "seed": 0,
        "enable_prefix_caching": False,
        "worker_extension_cls": EXTENSION,
        **settings,
    }
    if request.recipe is not None:
        method = f"laststep_{request.recipe.format}"
        words["quantization"] = method
        asked = {"quant_method": method, "recipe": request.recipe.to_dict()}
        words["hf_overrides"] = {"quantization_config": asked}
    return LLM(**words)


class VllmModel:
    """One running vLLM."""

    def __init__(self, llm: Any, request: EvaluationRequest) -> None:
        self._llm = llm
        self._request = request
        self._tokenizer = llm.get_tokenizer()

    def begin(self) -> str:
        """Open the attestation in the worker."""
        recipe = self._request.recipe.to_dict() if self._request.recipe is not None else None
        fingerprints = self._llm.collective_rpc("laststep_begin", args=(recipe,))
        if len(fingerprints) != 1:
            raise EvaluationError(f"{len(fingerprints)} workers hold the model: not built", "tensor parallel size 1")
        return str(fingerprints[0])

    def close(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Close it: the worker's document."""
        (document,) = self._llm.collective_rpc("laststep_close", kwargs={"facts": facts})
        return dict(document)

    def generate(self, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        """One request a sample."""
        from vllm import SamplingParams, TokensPrompt

        prompts = [
            TokensPrompt(prompt_token_ids=validation_set.prompt_tokens(self._tokenizer, sample)) for sample in samples
        ]
        asked = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=sample.seed,
                max_tokens=sampling.max_tokens,
                logprobs=0,
            )
            for sample in samples
        ]
        answers = self._llm.generate(prompts, asked, use_tqdm=False)
        return [self._generation(answer) for answer in answers]

    def _generation(self, answer: Any) -> Generation:
        output = answer.outputs[0]
        chosen = [places[token].logprob for token, places in zip(output.token_ids, output.logprobs)]
        return Generation(
            output=self._tokenizer.decode(output.token_ids, skip_special_tokens=True),
            log_probability=float(sum(chosen)),
            tokens=len(output.token_ids),
            prompt=self._tokenizer.decode(answer.prompt_token_ids),
            prompt_tokens=len(answer.prompt_token_ids),
        )

    def stop(self) -> None:
        """End its processes and give its memory back."""
        core = getattr(self._llm.llm_engine, "engine_core", None)
        if core is not None:
            core.shutdown()
