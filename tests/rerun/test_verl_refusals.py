"""Unsafe states of a verl run, each made on real files and refused by the line that means it. Nothing is launched."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from monitor.ledger.store import Ledger
from monitor.rerun import weights_probe
from monitor.rerun.adopt import NoRunThere, adopt
from monitor.rerun.facts import LineState, PreflightFacts, VerlFacts
from monitor.rerun.gather import gather
from monitor.rerun.plan import CannotPlan, RerunPlan, make_plan
from monitor.rerun.preflight import judge
from monitor.sources import checkpoints
from tests.quant.sharded_checkpoint import save_shards
from tests.rerun.run_folder import tree_hash
from tests.rerun.verl_run import STEP, make_verl_run, small_weights, write_tokenizer

pytestmark = pytest.mark.torch
NOT_HERE = {"engine", "memory", "shared-memory", "temp-space", "state-folder"}
"""Lines about this machine and its packages."""


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


@pytest.fixture(autouse=True)
def weights_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are read in this process: a child that imports torch costs seconds, and has tests of its own."""
    monkeypatch.setattr(
        weights_probe, "probe", lambda plan: weights_probe.read(plan.checkpoint, plan.start_model, plan.engine)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run of two ranks."""
    return make_verl_run(tmp_path / "run")


def planned(folder: Path, ledger: Ledger, **changes: object) -> RerunPlan:
    """The plan of the run in the folder."""
    plan = make_plan(ledger, adopt(folder, ledger))
    return dataclasses.replace(plan, **changes)  # type: ignore[arg-type]


def failed(plan: RerunPlan, ledger: Ledger) -> set[str]:
    """Names of the lines that refuse."""
    return refusing(plan, gather(plan, ledger))


def refusing(plan: RerunPlan, facts: PreflightFacts) -> set[str]:
    return {line.name for line in judge(plan, facts) if line.state is LineState.FAIL} - NOT_HERE


def actor(folder: Path) -> Path:
    return folder / "checkpoints" / f"global_step_{STEP}" / "actor"


def record(folder: Path, ledger: Ledger) -> None:
    """What a watch keeps when the checkpoint is saved."""
    name = adopt(folder, ledger)
    ledger.save_checkpoint_manifest(name, STEP, checkpoints.manifest(actor(folder).parent))


def test_a_finished_run_is_planned_from_its_folder_and_nothing_in_it_changes(folder: Path, ledger: Ledger) -> None:
    before = tree_hash(folder)
    plan = planned(folder, ledger)
    assert failed(plan, ledger) == set()
    assert (plan.step, plan.final, plan.recipe, plan.training_quantized) == (STEP, True, None, False)
    assert plan.verl is not None and plan.verl.temperature == 0
    assert tree_hash(folder) == before


def test_a_cut_shard(folder: Path, ledger: Ledger) -> None:
    shard = actor(folder) / "model_world_size_2_rank_1.pt"
    shard.write_bytes(shard.read_bytes()[:-300])
    assert "complete" in failed(planned(folder, ledger), ledger)


def test_a_missing_shard(folder: Path, ledger: Ledger) -> None:
    (actor(folder) / "model_world_size_2_rank_1.pt").unlink()
    assert "complete" in failed(planned(folder, ledger), ledger)


def test_only_optimizer_shards(folder: Path, ledger: Ledger) -> None:
    for file in actor(folder).glob("model_*.pt"):
        file.rename(file.with_name(file.name.replace("model", "optim", 1)))
    assert "complete" in failed(planned(folder, ledger), ledger)


def test_a_world_size_other_than_the_one_saved(folder: Path, ledger: Ledger) -> None:
    (actor(folder) / "model_world_size_2_rank_1.pt").unlink()
    (actor(folder) / "model_world_size_2_rank_0.pt").rename(actor(folder) / "model_world_size_1_rank_0.pt")
    assert "trained-weights" in failed(planned(folder, ledger), ledger)


def test_two_shards_swapped(folder: Path, ledger: Ledger) -> None:
    first, second = (actor(folder) / f"model_world_size_2_rank_{rank}.pt" for rank in range(2))
    first.rename(actor(folder) / "aside")
    second.rename(first)
    (actor(folder) / "aside").rename(second)
    assert "trained-weights" in failed(planned(folder, ledger), ledger)


def test_another_steps_checkpoint_in_its_place(folder: Path, ledger: Ledger) -> None:
    record(folder, ledger)
    shutil.rmtree(actor(folder))
    shutil.copytree(folder / "checkpoints" / "global_step_1" / "actor", actor(folder))
    assert "unchanged" in failed(planned(folder, ledger), ledger)


def test_the_base_model_in_its_place(folder: Path, ledger: Ledger) -> None:
    save_shards(actor(folder), small_weights(0), (2,))
    assert "trained-weights" in failed(planned(folder, ledger), ledger)


def test_a_step_that_the_marker_does_not_reach(folder: Path, ledger: Ledger) -> None:
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("1")
    assert "complete" in failed(planned(folder, ledger), ledger)


def test_a_checkpoint_without_its_marker(folder: Path, ledger: Ledger) -> None:
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").unlink()
    assert "complete" in failed(planned(folder, ledger), ledger)


def test_a_checkpoint_that_a_process_has_open_for_writing(folder: Path, ledger: Ledger) -> None:
    plan = planned(folder, ledger)
    with (actor(folder) / "extra_state_world_size_2_rank_0.pt").open("ab"):
        assert "at-rest" in failed(plan, ledger)


def test_no_checkpoint_at_all(folder: Path, ledger: Ledger) -> None:
    shutil.rmtree(folder / "checkpoints")
    assert "checkpoint" in failed(planned(folder, ledger), ledger)


def test_other_validation_data(folder: Path, ledger: Ledger) -> None:
    assert "validation-set" in failed(planned(folder, ledger, validation_sha256="another"), ledger)


def test_validation_data_that_is_gone(folder: Path, ledger: Ledger) -> None:
    plan = planned(folder, ledger)
    (folder / "validation.jsonl").unlink()
    assert "validation-set" in failed(plan, ledger)


def test_another_tokenizer(folder: Path, ledger: Ledger) -> None:
    write_tokenizer(actor(folder) / "huggingface", c=2)
    assert "tokenizer" in failed(planned(folder, ledger), ledger)


def test_a_lora_adapter_beside_the_weights(folder: Path, ledger: Ledger) -> None:
    (actor(folder) / "lora_adapter").mkdir()
    assert "adapter" in failed(planned(folder, ledger), ledger)


def test_a_reward_function_that_is_gone(folder: Path, ledger: Ledger) -> None:
    (folder / "reward.py").unlink()
    assert "reward" in failed(planned(folder, ledger), ledger)


@pytest.mark.parametrize(
    "settings",
    [
        {"actor_rollout_ref__rollout__val_kwargs": {"do_sample": True, "temperature": 1.0, "top_k": 5}},
        {"actor_rollout_ref__rollout__dtype": "float16"},
        {"actor_rollout_ref__rollout__multi_turn": {"enable": True}},
        {"actor_rollout_ref__model__lora_rank": 8},
        {"data__apply_chat_template_kwargs": {"enable_thinking": False}},
    ],
)
def test_an_evaluation_that_only_the_trainer_can_repeat(
    tmp_path: Path, ledger: Ledger, settings: dict[str, object]
) -> None:
    plan = planned(make_verl_run(tmp_path / "run", **settings), ledger)
    assert failed(plan, ledger) == {"sampling"}
    assert "verl itself must" in plan.route_reason


def test_an_adapter_that_verl_merges_for_its_engine_is_merged_here_but_not_into_another_type(
    tmp_path: Path, ledger: Ledger
) -> None:
    merging = {"actor_rollout_ref__model": {"lora_rank": 8, "lora": {"merge": True}}}
    plan = planned(make_verl_run(tmp_path / "run", **merging), ledger)
    assert plan.verl is not None and plan.verl.problems == ()
    other = make_verl_run(tmp_path / "other", **merging, actor_rollout_ref__rollout__dtype="float16")
    assert "sampling" in failed(planned(other, ledger), ledger)


def test_another_recipe_than_the_trainings(tmp_path: Path, ledger: Ledger) -> None:
    arguments = {"vllm": {"quantization": "laststep_mxfp4"}}
    run = make_verl_run(tmp_path / "run", actor_rollout_ref__rollout__engine_kwargs=arguments)
    name = adopt(run, ledger)
    assert "recipe" in failed(make_plan(ledger, name, quant="nvfp4_w4a4"), ledger)
    assert "recipe" not in failed(make_plan(ledger, name), ledger)


def test_every_gpu_taken(folder: Path, ledger: Ledger) -> None:
    plan = planned(folder, ledger)
    taken = VerlFacts(gpus=("GPU 0 is held by pid 7",), gpus_total=1)
    assert refusing(plan, dataclasses.replace(gather(plan, ledger), verl=taken)) == {"gpus"}


def test_the_runs_own_experiment_name(folder: Path, ledger: Ledger) -> None:
    assert "experiment-name" in failed(planned(folder, ledger, experiment="small"), ledger)


def test_an_output_folder_inside_the_runs_checkpoints(folder: Path, ledger: Ledger) -> None:
    inside = str(folder / "checkpoints" / "rerun")
    assert "output-folder" in failed(planned(folder, ledger, out_directory=inside), ledger)


def test_a_second_rerun_at_once(folder: Path, ledger: Ledger) -> None:
    import os

    plan = planned(folder, ledger)
    ledger.claim_rerun(plan.run, plan.step, plan.recipe_label, os.getpid())
    assert "no-other-rerun" in failed(plan, ledger)


def test_a_recipe_that_was_not_recorded_in_full_is_inferred_and_doubted(tmp_path: Path, ledger: Ledger) -> None:
    fork = {"enabled": True, "error_type": "mxfp4", "injection_point": "both", "exclude_modules": ["lm_head"]}
    plan = planned(make_verl_run(tmp_path / "run", trainer__hw_error_injection=fork), ledger)
    assert plan.recipe is not None and plan.recipe_label == "mxfp4_w4a4"
    line = next(line for line in judge(plan, gather(plan, ledger)) if line.name == "recipe-record")
    assert (line.state, line.doubt) == (LineState.UNKNOWN, True)


def test_a_folder_without_a_configuration_is_one_sentence(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(NoRunThere, match="shows the configuration"):
        adopt(tmp_path, ledger)


def test_a_run_whose_configuration_is_gone_can_not_be_planned(folder: Path, ledger: Ledger) -> None:
    name = adopt(folder, ledger)
    shutil.rmtree(folder / ".hydra")
    with pytest.raises(CannotPlan, match="can't be resolved"):
        make_plan(ledger, name)


@pytest.mark.parametrize(("v1", "profile"), [(True, "verl_v1"), (False, "verl")])
def test_which_of_verls_trainers_wrote_a_folder_is_told_by_its_configuration(
    folder: Path, ledger: Ledger, v1: bool, profile: str
) -> None:
    (config,) = folder.rglob(".hydra/config.yaml")
    text = config.read_text()
    config.write_text(text.replace("trainer:\n", f"trainer:\n  use_v1: {str(v1).lower()}\n", 1))
    assert ledger.run(adopt(folder, ledger)).trainer == profile
