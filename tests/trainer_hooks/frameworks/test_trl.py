"""What the hooks record of TRL's GRPOTrainer, on a class with its names, signatures and order of calls."""

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
from trainer_hooks.frameworks import on_import, trl_training
from trainer_hooks.recorder import Recorder

FAKE = Path(__file__).with_name("fake_trl")
GOLDEN = REPOSITORY / "tests" / "golden" / "trl_events.jsonl"
Reader = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def make(fresh_recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes trainers of the stand-in, with the hooks in."""
    finders = list(sys.meta_path)
    monkeypatch.setattr(trl_training, "_now", trl_training.TrlTraining())
    monkeypatch.setattr("trainer_hooks.install.driver", lambda: True)
    monkeypatch.syspath_prepend(str(FAKE))
    on_import.install(trl_training.wraps())
    yield lambda **settings: importlib.import_module(trl_training.MODULE).GRPOTrainer(str(tmp_path / "out"), **settings)
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name.split(".")[0] == "trl"]:
        del sys.modules[name]


def _guard(written: Reader) -> dict[str, Any]:
    (line,) = written("guard")
    found: dict[str, Any] = line["data"]
    return found


def test_a_whole_run_leaves_these_events(make: Any, written: Reader, tmp_path: Path) -> None:
    assert make().train() == "trained"
    lines = []
    for line in written():
        if line["kind"] == "process":
            continue
        data = {name: value for name, value in line["data"].items() if name not in _OF_THIS_MACHINE}
        text = json.dumps({"kind": line["kind"], "step": line["step"], "phase": line["phase"], "data": data})
        lines.append(text.replace(str(tmp_path), "/runs"))
    assert lines == GOLDEN.read_text().splitlines()


_OF_THIS_MACHINE = ("seconds", "driver_pid", "hooks_dir", "started_at")


def test_samples_are_counted_by_the_step_they_validate(make: Any, fresh_recorder: Recorder) -> None:
    make().train()
    expected = {"rollout_samples": 16, "validation_samples:1": 6, "validation_samples:2": 6}
    assert fresh_recorder.counters() == expected


def test_a_callback_of_our_own_records_nothing_twice(make: Any, written: Reader) -> None:
    from trainer_hooks.frameworks.trl import LaststepCallback

    make(callbacks=[LaststepCallback(), LaststepCallback()]).train()
    assert [line["step"] for line in written("step_end")] == [1, 2]
    assert sum(line["phase"] == "update_actor" for line in written("phase_end")) == 4


def test_no_evaluation_at_all_is_said_when_the_process_ends(make: Any, written: Reader) -> None:
    make(eval_strategy="no").train()
    assert written("guard") == [], "the script may still ask for it"
    trl_training._at_exit()
    assert _guard(written)["final_validation"] == "missing"
    assert "eval_strategy is no" in _guard(written)["reason"]


def test_an_evaluation_after_training_is_the_final_one(make: Any, written: Reader) -> None:
    trainer = make(eval_strategy="no")
    trainer.train()
    trainer.evaluate()
    assert _guard(written)["final_validation"] == "executed"


def test_an_evaluation_of_fewer_rows_is_partial(make: Any, written: Reader) -> None:
    trainer = make(eval_strategy="no")
    trainer.train()
    trainer.evaluate([0])
    trl_training._at_exit()
    assert _guard(written)["final_validation"] == "partial" and "2 of 6 rows" in _guard(written)["reason"]


def test_several_datasets_are_one_validation(make: Any, written: Reader) -> None:
    trainer = make()
    trainer.eval_dataset = {"easy": [1, 2], "hard": [3]}
    trainer.train()
    assert _guard(written)["reason"].startswith("all 6 rows at step 2")
    assert sum(line["phase"] == "testing" for line in written("phase_begin")) == 2


def test_an_evaluation_that_raises_is_no_evaluation_and_raises_its_own_error(make: Any, written: Reader) -> None:
    trainer = make()
    trainer.faults = {"evaluation"}
    with pytest.raises(ValueError, match="reward function"):
        trainer.train()
    assert _guard(written)["final_validation"] == "missing"


def test_failed_training_is_said(make: Any, written: Reader) -> None:
    trainer = make()
    trainer.faults = {"training"}
    with pytest.raises(MemoryError):
        trainer.train()
    assert written("run_end")[0]["data"] == {"exit": "failed", "error": "MemoryError"}


def test_an_observer_that_fails_changes_nothing(
    make: Any, fresh_recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trl_training, "numbers", lambda metrics: 1 / 0)
    assert make().train() == "trained"
    assert any("ZeroDivisionError" in text for text in fresh_recorder.errors)


def _start(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A Python that has the autoload folder on its path, and neither this repository nor its packages."""
    path = os.pathsep.join([str(FAKE), str(REPOSITORY / "trainer_hooks" / "autoload")])
    environment = {**os.environ, "PYTHONPATH": path, **settings}
    return subprocess.run(
        [sys.executable, "-S", "-c", f"import sitecustomize\n{code}"],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_autoload_observes_a_trainer_without_laststep_on_its_path(own_folders: Path, written: Reader) -> None:
    code = (
        "from trl.trainer.grpo_trainer import GRPOTrainer\n"
        f"GRPOTrainer({str(own_folders / 'out')!r}).train()\n"
        "import importlib.util; assert importlib.util.find_spec('monitor') is None"
    )
    done = _start(code, LASTSTEP="1")
    assert done.returncode == 0, done.stderr
    assert _guard(written)["final_validation"] == "executed"


@pytest.mark.parametrize("wanted", ["0", ""])
def test_autoload_stays_out_where_the_hooks_are_unwanted(own_folders: Path, written: Reader, wanted: str) -> None:
    done = _start("import sys; assert 'trainer_hooks' not in sys.modules", LASTSTEP=wanted)
    assert done.returncode == 0, done.stderr
    assert written() == []


def test_autoload_leaves_a_sitecustomize_that_is_there_in_force(own_folders: Path) -> None:
    (own_folders / "sitecustomize.py").write_text("import builtins\nbuiltins.ours = 1\n")
    path = os.pathsep.join([str(REPOSITORY / "trainer_hooks" / "autoload"), str(own_folders)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sitecustomize; print(ours)"],
        env={**os.environ, "PYTHONPATH": path, "LASTSTEP": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "1\n", done.stderr


def test_the_last_step_can_be_saved_before_its_evaluation(
    make: Any, written: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTSTEP_SAVE_FIRST", "1")
    make().train()
    phases = [line["phase"] for line in written("phase_begin") if line["step"] == 2]
    assert phases[-2:] == ["save_checkpoint", "testing"] and len(written("checkpoint")) == 1
    assert [line["data"]["text"] for line in written("notice")] == [
        "save-first: step 2 was saved before its validation"
    ]
