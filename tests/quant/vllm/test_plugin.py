"""vLLM finds laststep's plugin by its entry point; where it wouldn't, no engine is started. Needs no vLLM."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quant.errors import EvaluationError
from quant.evaluation.vllm_engine import VllmEngine
from quant.recipe import Recipe
from quant.vllm_plugin import GROUP, TARGET, check_visible

OTHERS = EntryPoint("other", "other.plugin:register", GROUP)
OWN = EntryPoint("laststep", TARGET, GROUP)


def refused(points: list[EntryPoint], environment: dict[str, str]) -> EvaluationError:
    """What is raised; it has a cure."""
    with pytest.raises(EvaluationError) as caught:
        check_visible(points, environment)
    assert caught.value.HELP_TEXT
    return caught.value


def test_the_installed_package_has_the_entry_point() -> None:
    (point,) = [point for point in entry_points(group=GROUP) if point.name == "laststep"]
    assert point.value == TARGET and callable(point.load())
    check_visible(environment={})


def test_a_plugin_that_is_not_loaded_since_its_entry_point_is_missing_is_refused() -> None:
    error = refused([OTHERS], {})
    assert "no installed package has the entry point quant.vllm_plugin:register" in str(error)
    assert "install laststep into vLLM's environment" in error.HELP_TEXT
    assert "no installed package" in str(refused([], {}))


def test_a_plugin_that_is_not_loaded_since_vllm_was_told_of_others_only_is_refused() -> None:
    error = refused([OTHERS, OWN], {"VLLM_PLUGINS": "other"})
    assert "VLLM_PLUGINS is `other`" in str(error) and "add `laststep`" in error.HELP_TEXT
    assert "VLLM_PLUGINS is ``" in str(refused([OWN], {"VLLM_PLUGINS": ""}))
    check_visible([OTHERS, OWN], {"VLLM_PLUGINS": "other, laststep"})


def test_no_engine_is_started_without_the_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VLLM_PLUGINS", "other")
    request: Any = SimpleNamespace(recipe=Recipe("test"), checkpoint=tmp_path / "none")
    with pytest.raises(EvaluationError, match="would not load laststep's plugin"), VllmEngine().open(request):
        pass
