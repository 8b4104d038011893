"""The route `verl` as it is launched: its command, its environment, what it refuses, and what must come back."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.rerun import own_trainer, verl_attested
from monitor.rerun.environment import child_environment
from monitor.rerun.facts import LineState
from monitor.rerun.own_ray import EvaluationFailed
from monitor.rerun.plan import DEFAULT_METRIC, RerunPlan
from monitor.rerun.routes import RouteNotTaken, choose, taken
from monitor.rerun.verl_lines import verl_lines
from tests.rerun import examples, verl_plans
from tests.rerun.verl_plans import PROVED, VERSION, evaluation, launch
from trainer_hooks.frameworks.wrapping import Call

IMPOSSIBLE = evaluation(problems=("the run's rollout has several turns",))


def by_verl(out: Path, **changes: Any) -> RerunPlan:
    """A plan whose chosen route is verl's, with an output folder that is there."""
    out.mkdir(exist_ok=True)
    routes = taken(choose(evaluation(), {"verl": VERSION}, PROVED), "verl")
    return verl_plans.plan(routes=routes, out_directory=str(out), metric=DEFAULT_METRIC, **changes)


def written(
    plan: RerunPlan, scores: list[float], attestations: int = 1, logged: dict[str, float] | None = None
) -> None:
    """What verl leaves behind."""
    plan.dump_path.parent.mkdir()
    plan.dump_path.write_text("".join(json.dumps({"score": score}) + "\n" for score in scores))
    for rank in range(attestations):
        Path(plan.out_directory, f"attested.{rank}").write_text('{"schema": 1}')
    if logged is not None:
        metrics = Path(plan.out_directory, "metrics", "project")
        metrics.mkdir(parents=True)
        (metrics / "name.jsonl").write_text(json.dumps({"step": plan.step, "data": logged}) + "\n")


def test_the_command_is_the_runs_own_with_val_only_and_the_attesting_worker(tmp_path: Path) -> None:
    words = own_trainer.command(by_verl(tmp_path), launch())
    assert words[:3] == ["/training/bin/python", "-m", "verl.trainer.main_ppo"]
    assert "++trainer.val_only=true" in words
    assert f"++actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls={own_trainer.EXTENSION}" in words
    assert "+trainer.note='two words'" in words


def test_a_configuration_that_was_recorded_whole_is_given_whole(tmp_path: Path) -> None:
    words = own_trainer.command(by_verl(tmp_path), launch(overrides=(), values={"trainer": {"note": "x"}}))
    assert f"--config-path={tmp_path}" in words
    assert json.loads((tmp_path / "run.yaml").read_text()) == {"trainer": {"note": "x"}}


def test_the_trainers_own_modules_come_before_the_attesting_one(tmp_path: Path) -> None:
    found = own_trainer.environment({"VERL_USE_EXTERNAL_MODULES": "platform,other"}, by_verl(tmp_path))
    assert found["VERL_USE_EXTERNAL_MODULES"] == f"platform,other,{own_trainer.ATTESTING}"
    assert found["VERL_FILE_LOGGER_ROOT"].startswith(str(tmp_path))


def test_what_the_caller_says_to_verl_goes_along_only_where_verl_evaluates() -> None:
    inherited = {"VERL_PLATFORM": "cpu", "RAY_ADDRESS": "10.0.0.1:6379"}
    kept = child_environment(inherited, "/out", by_trainer=True)
    assert kept["VERL_PLATFORM"] == "cpu" and "RAY_ADDRESS" not in kept
    assert "VERL_PLATFORM" not in child_environment(inherited, "/out")


def test_noise_that_stays_on_and_runs_of_several_nodes_are_not_started() -> None:
    with pytest.raises(EvaluationFailed, match="noise"):
        own_trainer.checked(launch(values={"noise": {"schedule": "qerl"}}))
    with pytest.raises(EvaluationFailed, match="2 nodes"):
        own_trainer.checked(launch(values={"trainer": {"nnodes": 2}}))
    assert own_trainer.checked(launch(values={"trainer": {"nnodes": 1, "n_gpus_per_node": 8}})) == 8


def test_the_metric_is_what_verl_logged_and_else_the_mean_of_its_samples(tmp_path: Path) -> None:
    plan = by_verl(tmp_path)
    written(plan, [1.0, 0.0], logged={"val-core/x/acc/mean@1": 0.75})
    assert own_trainer.document(plan)["value"] == 0.5
    named = dataclasses.replace(plan, metric="val-core/x/acc/mean@1")
    assert own_trainer.document(named)["value"] == 0.75
    with pytest.raises(EvaluationFailed, match="logged no val-core/y, but val-core/x"):
        own_trainer.document(dataclasses.replace(plan, metric="val-core/y"))


@pytest.mark.parametrize("attestations", [0, 2])
def test_without_exactly_one_attestation_nothing_is_a_result(tmp_path: Path, attestations: int) -> None:
    plan = by_verl(tmp_path)
    written(plan, [1.0], attestations)
    with pytest.raises(EvaluationFailed, match=f"{attestations} attestations"):
        own_trainer.document(plan)


def test_why_an_attestation_is_missing_is_told(tmp_path: Path) -> None:
    plan = by_verl(tmp_path)
    written(plan, [1.0], 0)
    (tmp_path / "attested.error").write_text("Traceback\nKeyError: 'server'\n")
    with pytest.raises(EvaluationFailed, match="KeyError: 'server'"):
        own_trainer.document(plan)


def test_a_start_that_validated_nothing_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match="nothing was evaluated"):
        own_trainer.document(by_verl(tmp_path))


def test_what_only_verl_repeats_is_refused_for_laststeps_evaluation_alone(tmp_path: Path) -> None:
    facts = examples.facts(verl=verl_plans.found())
    own = verl_lines(verl_plans.plan(verl=IMPOSSIBLE), facts)
    assert {line.name for line in own if line.state is LineState.FAIL} == {"sampling"}
    assert not [line for line in verl_lines(by_verl(tmp_path, verl=IMPOSSIBLE), facts) if line.state is LineState.FAIL]


def test_a_version_whose_weight_sync_was_not_proved_can_not_be_asked_for() -> None:
    with pytest.raises(RouteNotTaken, match="was not proved"):
        taken(choose(evaluation(), {"verl": "0.8.0"}, PROVED), "verl")
    assert [route.name for route in taken(choose(evaluation(), {"verl": VERSION}, PROVED), "verl") if route.chosen] == [
        "verl"
    ]


def test_an_attestation_that_fails_never_reaches_verls_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = tmp_path / "order.json"
    order.write_text(json.dumps({"recipe": None, "path": str(tmp_path / "attested")}))
    monkeypatch.setenv(verl_attested.VARIABLE, str(order))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    verl_attested.begin(Call(print, (SimpleNamespace(),), {}))
    assert "llm_server_manager" in (tmp_path / "attested.error").read_text()


def test_each_of_several_servers_writes_an_attestation_of_its_own_so_that_none_passes_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = by_verl(tmp_path)
    written(plan, [1.0], 0)
    order = tmp_path / "order.json"
    named = {"recipe": None, "path": str(tmp_path / "attested"), "weights_step": 2, "dtype": "bfloat16"}
    order.write_text(json.dumps({**named, "checkpoint": "", "start_model": ""}))
    monkeypatch.setenv(verl_attested.VARIABLE, str(order))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda calls: None))

    def close(method: str, kwargs: dict[str, Any]) -> None:
        Path(f"{kwargs['path']}.0").write_text("{}")

    server = SimpleNamespace(collective_rpc=SimpleNamespace(remote=close))
    trainer = SimpleNamespace(llm_server_manager=SimpleNamespace(server_handles=[server, server]))
    verl_attested.close(Call(print, (trainer,), {}))
    with pytest.raises(EvaluationFailed, match="2 attestations came from verl's engine"):
        own_trainer.document(plan)
