"""The child that reads weights gives fingerprints, and turns whatever is wrong with a file into a reason."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from monitor.rerun.plan import RerunPlan
from monitor.rerun.weights_probe import probe
from tests.rerun import examples
from tests.rerun.run_folder import STEP, make_run, write_model

pytestmark = pytest.mark.torch


@pytest.fixture
def plan(tmp_path: Path) -> RerunPlan:
    """A plan on a run's folder."""
    make_run(tmp_path)
    return examples.plan(
        checkpoint=str(tmp_path / "checkpoints" / f"global_step_{STEP}"),
        start_model=str(tmp_path / "model"),
        engine="tests.rerun.engines:ENGINE",
    )


def test_trained_weights_differ_from_the_start_models(plan: RerunPlan) -> None:
    found = probe(plan)
    assert found.checkpoint and found.start
    assert found.checkpoint != found.start
    assert (found.checkpoint_error, found.start_error, found.engine_error) == ("", "", "")
    assert found.torch_version


def test_the_start_models_weights_in_the_checkpoint_are_known_by_their_fingerprint(
    plan: RerunPlan, tmp_path: Path
) -> None:
    write_model(tmp_path / "again", seed=0)
    shard = Path(plan.checkpoint) / "actor" / "model_world_size_1_rank_0.pt"
    shutil.copy(tmp_path / "again" / "model.pt", shard)
    found = probe(plan)
    assert found.checkpoint == found.start


def test_a_cut_shard_is_a_reason_and_no_fingerprint(plan: RerunPlan) -> None:
    shard = Path(plan.checkpoint) / "actor" / "model_world_size_1_rank_0.pt"
    shard.write_bytes(shard.read_bytes()[:1000])
    found = probe(plan)
    assert found.checkpoint is None
    assert "cut" in found.checkpoint_error
    assert found.start


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vllm is installed here")
def test_an_engine_whose_packages_are_not_installed_is_said_with_its_cure(plan: RerunPlan) -> None:
    found = probe(examples.plan(checkpoint=plan.checkpoint, start_model=plan.start_model, engine="vllm"))
    assert "needs `vllm`, which is not installed" in found.engine_error
    assert found.engine_cure.startswith("pip install vllm")


def test_no_recorded_start_model_is_a_reason(plan: RerunPlan) -> None:
    found = probe(examples.plan(checkpoint=plan.checkpoint, start_model=None, engine=plan.engine))
    assert found.start is None
    assert "no start model" in found.start_error


def test_a_child_that_takes_too_long_is_ended_and_said(plan: RerunPlan) -> None:
    found = probe(plan, deadline=0.01)
    assert found.checkpoint is None
    assert "longer than" in found.checkpoint_error
