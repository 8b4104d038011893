"""Engines by their import paths: what is none, or fails while it is imported, is one sentence. Needs no torch."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from quant.errors import EvaluationError
from quant.evaluation import Generation, Sample, load_engine


class Engine:
    """The shape of an engine."""

    name = "shape"
    batch_rows = 1

    def load(self, checkpoint: Path, dtype: str) -> Any:
        return None

    def read_samples(self, path: Path) -> list[Sample]:
        return []

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        return []

    def score(self, sample: Sample, generation: Generation) -> float:
        return 0.0


def test_an_engine_is_found_by_its_import_path() -> None:
    module = types.ModuleType("an_engine_for_this_test")
    module.ENGINE = Engine()  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        assert load_engine("an_engine_for_this_test:ENGINE") is module.ENGINE
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vllm?reward=a&speed=3", "the engine `vllm` has no option `speed`"),
        ("vllm?batch_rows=many", "the engine `vllm` can't take"),
        ("", "names no engine"),
        ("json", "names no engine"),
        ("json:", "names no engine"),
        (":ENGINE", "names no engine"),
        ("no_such_module_here:ENGINE", "can't import the engine's module `no_such_module_here`: ModuleNotFoundError"),
        ("json:ENGINE", "module `json` has no `ENGINE`"),
        ("json:loads", "no evaluation engine: it has no `name`"),
    ],
)
def test_an_engine_that_is_none_is_named(name: str, words: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_engine(name)
    assert words in str(caught.value) and caught.value.HELP_TEXT


def test_an_engines_module_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_engine_module.py").write_text("raise RuntimeError('own words')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EvaluationError, match="RuntimeError: own words"):
        load_engine("failing_engine_module:ENGINE")
