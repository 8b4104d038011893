"""Who loads a model and generates with it: the interfaces, and finding one by its name. Imports no torch.

Two kinds. An engine that gives its `nn.Module` away gets the recipe put into it and is attested by `quant.attestation`.
One that keeps its model to itself (vLLM) applies the recipe and makes the attestation on its own side.
"""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

from quant.errors import EvaluationError
from quant.evaluation.records import EvaluationRequest, Generation, Sample, Sampling

BUILT_IN = {
    "transformers": "quant.evaluation.transformers_engine:TransformersEngine",
    "vllm": "quant.evaluation.vllm_engine:VllmEngine",
}
NEEDS = {"transformers": ("transformers",), "vllm": ("vllm", "transformers")}
"""Packages without which a built-in engine can't work: missing ones are told before any weights are read."""
_COMMON = ("name", "batch_rows", "read_samples", "score")
_OF_MODULES, _OF_HOSTED = (*_COMMON, "load", "generate"), (*_COMMON, "open")


class _Engine(Protocol):
    name: str
    batch_rows: int
    """Rows of each product: the engine pads the last batch up to it."""

    def read_samples(self, path: Path) -> list[Sample]:
        """The validation set, in its order."""
        ...

    def score(self, sample: Sample, generation: Generation) -> float:
        """By rule."""
        ...


class EvaluationEngine(_Engine, Protocol):
    """One that gives its module away; greedy."""

    def load(self, checkpoint: Path, dtype: str) -> Any:
        """The unquantized `nn.Module` with the weights of `global_step_N` or of a start model's folder."""
        ...

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Greedy, one generation a sample, in order; at most `batch_rows` samples."""
        ...


class SamplingEngine(EvaluationEngine, Protocol):
    """One that gives its module away and can sample."""

    def sample(self, module: Any, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        """One generation a sample, each with its own seed; greedy where `sampling` is."""
        ...


class HostedModel(Protocol):
    """A model that stays with its engine."""

    def begin(self) -> str:
        """Open the attestation; the fingerprint of the weights received."""
        ...

    def generate(self, samples: list[Sample], sampling: Sampling) -> list[Generation]:
        """One generation a sample, in order, each with its own seed."""
        ...

    def close(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Close the attestation: the document, with these facts in it."""
        ...


class HostedEngine(_Engine, Protocol):
    """One that keeps its model to itself."""

    def open(self, request: EvaluationRequest) -> AbstractContextManager[HostedModel]:
        """The model, loaded and quantized, for as long as the context lasts."""
        ...


AnyEngine = EvaluationEngine | HostedEngine


def load_engine(name: str) -> Any:
    """The engine `transformers`, `vllm`, or at `package.module:attribute`. Raises `EvaluationError`.

    Built-in engines take options: `vllm?reward=package.module:function&batch_rows=64`.
    """
    stem, _, options = name.partition("?")
    if stem in BUILT_IN:
        return _built_in(stem, dict(parse_qsl(options, keep_blank_values=True)))
    engine = _attribute(name)
    wanted = _OF_HOSTED if hasattr(engine, "open") else _OF_MODULES
    missing = [word for word in wanted if not hasattr(engine, word)]
    if missing:
        raise EvaluationError(f"`{name}` is no evaluation engine: it has no `{missing[0]}`", "see EvaluationEngine")
    return engine


def _built_in(name: str, options: dict[str, str]) -> Any:
    kind = _attribute(BUILT_IN[name])
    unknown = [key for key in options if key not in kind.OPTIONS]
    if unknown:
        raise EvaluationError(
            f"the engine `{name}` has no option `{unknown[0]}`", "options: " + ", ".join(kind.OPTIONS)
        )
    try:
        engine = kind(**{key: kind.OPTIONS[key](value) for key, value in options.items()})
    except ValueError as error:
        raise EvaluationError(f"the engine `{name}` can't take {options}: {error}") from error
    absent = [package for package in NEEDS[name] if importlib.util.find_spec(package) is None]
    if absent:
        raise EvaluationError(
            f"the engine `{name}` needs `{absent[0]}`, which is not installed here", f"pip install {' '.join(absent)}"
        )
    return engine


def _attribute(name: str) -> Any:
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise EvaluationError(
            f"`{name}` names no engine", "name one as package.module:attribute, or " + ", ".join(BUILT_IN)
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # The module may be anyone's, and may fail in any way while it is imported.
        raise EvaluationError(
            f"can't import the engine's module `{module_name}`: {type(error).__name__}: {error}",
            "check the trainer profile's `evaluation_engine`",
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        raise EvaluationError(f"module `{module_name}` has no `{attribute}`", "check the profile's `evaluation_engine`")
    return found
