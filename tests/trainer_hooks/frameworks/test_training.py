"""What a whole run leaves in the event file: phases, samples, weights, scores and the guard's word, by fault."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.trainer_hooks.conftest import REPOSITORY
from trainer_hooks.frameworks import demo, on_import, settings_of
from trainer_hooks.frameworks.training import numbers
from trainer_hooks.recorder import Recorder

PACKAGE = "tests.trainer_hooks.frameworks.fake_demo"
Reader = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def trainer(fresh_recorder: Recorder) -> Iterator[ModuleType]:
    """The fake trainer's module, imported with the hooks in."""
    finders = list(sys.meta_path)
    on_import.install(demo.wraps(PACKAGE))
    yield importlib.import_module(f"{PACKAGE}.trainer")
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def test_every_name_of_the_demo_is_found(trainer: ModuleType) -> None:
    importlib.import_module(f"{PACKAGE}.rollout")
    wrapped, missing = on_import.found()
    assert {wrap.name for wrap in demo.wraps(PACKAGE)} <= set(wrapped)
    assert not [name for name in missing if name.startswith(PACKAGE)]


def test_phases_begin_and_end_in_order_and_the_whole_step_is_none(
    trainer: ModuleType, written: Reader, tmp_path: Path
) -> None:
    assert trainer.RayPPOTrainer(str(tmp_path), steps=1).fit() == "trained"
    phases = [(line["kind"], line["step"], line["phase"]) for line in written() if line["kind"].startswith("phase")]
    assert phases == [
        (kind, step, phase)
        for step, names in [(0, ["testing"]), (1, ["update_actor", "save_checkpoint", "update_weights", "testing"])]
        for phase in names
        for kind in ("phase_begin", "phase_end")
    ]
    assert all(line["data"]["seconds"] >= 0 for line in written("phase_end"))
    assert [line["data"] for line in written("phase_begin") if line["phase"] == "testing"] == [{"total": 6}] * 2


def test_samples_are_counted_by_the_step_they_validate(
    trainer: ModuleType, fresh_recorder: Recorder, tmp_path: Path
) -> None:
    trainer.RayPPOTrainer(str(tmp_path), steps=4).fit()
    trainer.AgentLoopWorker().generate(0, 4, validate=False)
    assert fresh_recorder.counters() == {
        "validation_samples:0": 6,
        "validation_samples:3": 6,
        "validation_samples:4": 6,
        "rollout_samples": 1,
    }


def test_configuration_scores_dumps_checkpoint_and_end_are_recorded(
    trainer: ModuleType, written: Reader, tmp_path: Path
) -> None:
    trainer.RayPPOTrainer(str(tmp_path), steps=2).fit()
    (config,) = [line["data"] for line in written("run_config")]
    assert (config["experiment"], config["total_steps"], config["validation_rows"]) == ("e", 2, 6)
    assert config["recipe"] == {"name": "mxfp4"} and config["checkpoint_dir"] == str(tmp_path)
    score = {"metric": "val-core/arithmetic/acc/mean@1", "value": 0.75}
    assert [(line["step"], line["data"]) for line in written("score")] == [(0, score), (2, score)]
    dumped = written("dump")[-1]
    assert dumped["step"] == 2 and dumped["data"]["rows"] == 6 and dumped["data"]["mean_score"] == 1.0
    assert dumped["data"]["path"] == str(tmp_path / "validation" / "2.jsonl")
    (saved,) = written("checkpoint")
    assert saved["data"] == {"path": str(tmp_path / "global_step_2"), "complete": True}
    assert [line["data"]["metrics"] for line in written("step_end")] == [{"actor/loss": 0.1}] * 2
    assert written("run_end")[0]["data"]["exit"] == "finished"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ((), "executed"),
        (("skip",), "missing"),
        (("partial",), "partial"),
        (("stale",), "stale-weights"),
    ],
)
def test_guard_says_how_the_final_validation_stands(
    trainer: ModuleType,
    written: Reader,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    faults: tuple[str, ...],
    said: str,
) -> None:
    trainer.RayPPOTrainer(str(tmp_path), faults=faults).fit()
    (guard,) = written("guard")
    assert guard["data"]["final_validation"] == said
    assert capfd.readouterr().err.count("laststep:") == (0 if said == "executed" else 1)


def test_failed_training_raises_its_own_error_and_is_said(trainer: ModuleType, written: Reader, tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        trainer.RayPPOTrainer(str(tmp_path), faults=("train",)).fit()
    assert "MemoryError at step 2 of 4" in written("guard")[0]["data"]["reason"]
    assert written("run_end")[0]["data"] == {"exit": "failed", "error": "MemoryError"}
    assert written("phase_end")[-1]["data"]["error"] == "MemoryError"


def test_engine_s_weights_and_attestation_are_recorded(trainer: ModuleType, written: Reader) -> None:
    server = importlib.import_module(f"{PACKAGE}.rollout").RolloutServer()
    assert asyncio.run(server.update_weights({}, 5)) == "fingerprint-5"
    asyncio.run(server.end_validation(5))
    (weights,), (attested,) = written("weights_updated"), written("attested")
    assert (weights["step"], weights["data"]) == (5, {"version": 5, "fingerprint": "fingerprint-5"})
    assert (attested["step"], attested["data"]) == (5, {"recipe": {"name": "mxfp4"}, "calls": 12})


def test_tensors_are_never_read_for_a_metric() -> None:
    class Tensor:
        def item(self) -> float:
            raise AssertionError("this would wait for a device")

    assert numbers({"loss": Tensor(), "lr": 1, "done": True, "name": "x"}) == {"lr": 1.0}
    assert numbers(None) == {}


def test_configuration_is_read_from_dictionaries_and_objects_and_survives_what_fails() -> None:
    class Holder:
        total_training_steps = 7

        @property
        def test_freq(self) -> int:
            raise RuntimeError("does not resolve")

    assert settings_of.run_config({"trainer": Holder()}) == {"total_steps": 7}
    assert settings_of.run_config(None) == {}


def test_process_that_ends_in_the_middle_of_training_says_what_is_missing(own_folders: Path, written: Reader) -> None:
    program = f"""
import threading
import trainer_hooks.install
from tests.trainer_hooks.conftest import REPOSITORY
from trainer_hooks.frameworks import demo, on_import
trainer_hooks.install.driver()
on_import.install(demo.wraps({PACKAGE!r}))
from {PACKAGE} import trainer
begun = threading.Event()
class Endless(trainer.RayPPOTrainer):
    def _update_weights(self):
        begun.set()
        threading.Event().wait()
threading.Thread(target=Endless({str(own_folders)!r}).fit, daemon=True).start()
begun.wait()
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "the end of its process at step 1 of 4" in written("guard")[0]["data"]["reason"]
    assert done.stderr.count("laststep:") == 1
