"""What the hooks record of verl's three kinds of fit, on a package with verl's names and nothing behind them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import REPOSITORY
from trainer_hooks.frameworks import on_import, verl_names
from trainer_hooks.recorder import Recorder

FAKE = Path(__file__).with_name("fake_verl")
Reader = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def fake(fresh_recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports modules of the fake verl with the hooks in."""
    finders = list(sys.meta_path)
    monkeypatch.syspath_prepend(str(FAKE))
    on_import.install([wrap for wrap in verl_names.wraps() if wrap.module != "ray"])
    yield importlib.import_module
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.split(".")[0] in ("verl", "recipe")]:
        del sys.modules[name]


def _config(fake: Any, folder: Path, steps: int = 3, **trainer: Any) -> dict[str, Any]:
    made: dict[str, Any] = fake("verl.trainer.ppo.ray_trainer").config(str(folder), steps, **trainer)
    return made


def _legacy(fake: Any, folder: Path, **trainer: Any) -> Any:
    made = fake("verl.trainer.ppo.ray_trainer").RayPPOTrainer(_config(fake, folder, **trainer))
    made.init_workers()
    return made


def _v1(fake: Any, folder: Path) -> Any:
    made = fake("verl.trainer.ppo.v1.trainer_sync").PPOTrainerSync(_config(fake, folder))
    made.init()
    return made


def _recipe(fake: Any, folder: Path, kind: str) -> Any:
    made = getattr(fake("recipe.dapo.dapo_ray_trainer"), kind)(_config(fake, folder))
    made.init_workers()
    return made


def _phases(lines: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(line["step"], line["phase"]) for line in lines if line["kind"] == "phase_begin"]


def _guard(written: Reader) -> str:
    (line,) = written("guard")
    return str(line["data"]["final_validation"])


def test_every_name_of_verl_that_is_there_is_observed(fake: Any) -> None:
    for module in ("verl.trainer.ppo.v1.trainer_sync", "verl.trainer.ppo.ray_trainer"):
        fake(module)
    wrapped, missing = on_import.found()
    assert {f"{verl_names.LEGACY}.RayPPOTrainer.fit", f"{verl_names.V1}.PPOTrainer.fit"} <= set(wrapped)
    assert f"{verl_names.AGENT_LOOP}.AgentLoopWorker._run_agent_loop" in wrapped
    assert not [name for name in missing if name.startswith("verl.")]


def test_phases_of_the_legacy_fit_begin_in_its_order(fake: Any, written: Reader, tmp_path: Path) -> None:
    assert _legacy(fake, tmp_path).fit() == "trained"
    step = ["gen", "update_actor", "update_weights"]
    saved = ["gen", "update_actor", "save_checkpoint", "update_weights", "testing"]
    expected = [(0, ["testing"]), (1, step), (2, saved), (3, saved)]
    assert _phases(written()) == [(number, phase) for number, names in expected for phase in names]


def test_phases_of_v1_begin_in_its_order(fake: Any, written: Reader, tmp_path: Path) -> None:
    assert _v1(fake, tmp_path).fit(None) == "trained"
    saved = ["update_actor", "save_checkpoint", "update_weights", "testing"]
    expected = [(0, ["testing"]), (1, ["update_actor", "update_weights"]), (2, saved), (3, saved)]
    assert _phases(written()) == [(number, phase) for number, names in expected for phase in names]


@pytest.mark.parametrize("make", [_legacy, _v1])
def test_a_final_validation_after_the_last_weights_is_told_as_executed(
    fake: Any, written: Reader, tmp_path: Path, make: Any
) -> None:
    trainer = make(fake, tmp_path)
    trainer.fit(*([None] if make is _v1 else []))
    assert _guard(written) == "executed"


def test_rows_are_known_without_a_dump_folder(fake: Any, written: Reader, tmp_path: Path) -> None:
    trainer = _legacy(fake, tmp_path)
    type(trainer)._dump_generations = lambda *args: None
    trainer.fit()
    assert _guard(written) == "executed"


def test_a_recipe_with_a_fit_of_its_own_is_observed(fake: Any, written: Reader, tmp_path: Path) -> None:
    assert _recipe(fake, tmp_path, "RayDAPOTrainer").fit() == "trained"
    assert (3, "update_actor") in _phases(written())
    assert _guard(written) == "missing"


def test_a_fit_that_calls_the_one_it_overrides_is_one_training(fake: Any, written: Reader, tmp_path: Path) -> None:
    _recipe(fake, tmp_path, "CallsBase").fit()
    assert len(written("run_config")) == len(written("run_end")) == 1
    assert _guard(written) == "executed"


def test_a_fit_patched_before_the_workers_are_set_up_is_observed(fake: Any, written: Reader, tmp_path: Path) -> None:
    module = fake("verl.trainer.ppo.ray_trainer")
    module.RayPPOTrainer.fit = lambda self: self._validate() and "patched"
    assert _legacy(fake, tmp_path).fit() == "patched"
    assert _guard(written) == "missing"


def test_a_run_that_only_validates_is_judged_by_the_step_it_validated(
    fake: Any, written: Reader, tmp_path: Path
) -> None:
    assert _legacy(fake, tmp_path, val_only=True).fit() == "validated"
    assert _guard(written) == "executed"


def test_weight_syncs_are_told_with_their_step(fake: Any, written: Reader, tmp_path: Path) -> None:
    _legacy(fake, tmp_path).fit()
    assert [(line["step"], line["data"]["version"]) for line in written("weights_updated")] == [
        (step, step) for step in range(4)
    ]


def test_samples_are_counted_by_the_step_they_validate(fake: Any, fresh_recorder: Recorder, tmp_path: Path) -> None:
    _legacy(fake, tmp_path).fit()
    validations = {f"validation_samples:{step}": 6 for step in (0, 2, 3)}
    assert fresh_recorder.counters() == {**validations, "rollout_samples": 12}


def test_the_resolved_configuration_is_recorded(fake: Any, written: Reader, tmp_path: Path) -> None:
    _legacy(fake, tmp_path).fit()
    (line,) = written("run_config")
    assert line["data"]["validation_file"] == str(tmp_path / "validation.parquet")
    assert (line["data"]["test_freq"], line["data"]["total_steps"], line["data"]["validation_rows"]) == (2, 3, 6)


def test_timers_of_processes_that_do_not_train_are_no_phases(fake: Any, written: Reader) -> None:
    profiler = fake("verl.utils.profiler")
    with profiler.marked_timer("update_actor", {}):
        pass
    assert written("phase_begin") == []


def test_the_job_asks_its_workers_for_the_hooks_and_keeps_its_own_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTSTEP_DIR", "/elsewhere")
    monkeypatch.delenv("LASTSTEP", raising=False)
    given = {"runtime_env": {"env_vars": {"A": "b", "LASTSTEP_DIR": "/own"}}, "num_cpus": 2}
    call = verl_names.Call(None, (), given)
    verl_names.into_workers(call)
    assert call.kwargs["runtime_env"] == {"env_vars": {"A": "b", "LASTSTEP_DIR": "/own", "LASTSTEP": "1"}}
    assert call.kwargs["num_cpus"] == 2


def test_what_a_jobs_submission_sets_is_not_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    submitted = {"runtime_env": {"env_vars": {"LASTSTEP": "1", "LASTSTEP_DIR": "/own"}}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(submitted))
    monkeypatch.setenv("LASTSTEP_DIR", "/own")
    call = verl_names.Call(None, (), {"runtime_env": {"env_vars": {"A": "b"}}})
    verl_names.into_workers(call)
    assert call.kwargs == {"runtime_env": {"env_vars": {"A": "b"}}}


def _import_verl(directory: Path, module: str, **variables: str) -> list[str]:
    """Names of the files that a process leaves which imports verl, then `module`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTSTEP")}
    environment = {**kept, "PYTHONPATH": f"{FAKE}:{REPOSITORY}", "LASTSTEP_DIR": str(directory), **variables}
    words = f"import verl, {module}; import verl.trainer.ppo.ray_trainer"
    subprocess.run([sys.executable, "-c", words], env=environment, check=True, timeout=60)
    hooks = directory / "hooks"
    return sorted(path.suffix for path in hooks.iterdir()) if hooks.exists() else []


def test_verls_own_variable_brings_the_hooks_in(tmp_path: Path) -> None:
    assert ".jsonl" in _import_verl(tmp_path, "os", VERL_USE_EXTERNAL_MODULES="trainer_hooks.frameworks.verl")


def test_the_plugin_brings_the_hooks_in_where_they_are_asked_for(tmp_path: Path) -> None:
    assert ".jsonl" in _import_verl(tmp_path, "trainer_hooks.verl_plugin", LASTSTEP="1")


@pytest.mark.parametrize("said", [{}, {"LASTSTEP": "0"}, {"LASTSTEP": ""}])
def test_the_plugin_does_nothing_unasked(tmp_path: Path, said: dict[str, str]) -> None:
    assert _import_verl(tmp_path, "trainer_hooks.verl_plugin", **said) == []


def test_a_loaded_checkpoint_that_is_sent_to_the_engine_and_validated_is_executed(
    fake: Any, written: Reader, tmp_path: Path
) -> None:
    assert _legacy(fake, tmp_path, val_only=True, resumed_at=3).fit() == "validated"
    assert _guard(written) == "executed"


def test_one_that_never_reached_the_engine_is_stale(fake: Any, written: Reader, tmp_path: Path) -> None:
    trainer = _legacy(fake, tmp_path, val_only=True, resumed_at=3)
    trainer.checkpoint_manager.update_weights = lambda *steps: None
    assert trainer.fit() == "validated"
    assert _guard(written) == "stale-weights"
