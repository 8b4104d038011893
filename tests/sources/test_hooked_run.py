"""Runs without Ray: real processes with the hooks' own recorder, found while they train and not otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.sources.hooked_run import hooked_runs

ROOT = Path(__file__).resolve().parents[2]
TRAINING = """
import sys, time
from trainer_hooks import recorder
told = recorder.get()
told.event("run_config", trainer=sys.argv[1], experiment="tiny", started_at=1000.0, driver_pid=1)
told.event("run_config", total_steps=3)
if sys.argv[2] == "ended":
    told.event("run_end", step=3, exit="finished")
told.flush()
print("recorded", flush=True)
time.sleep(600)
"""
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(trainer, how, **environment)`: a process that has recorded a training, and lives."""
    started: list[subprocess.Popen[bytes]] = []

    def one(trainer: str = "trl", how: str = "trains", **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, trainer, how],
            env={**os.environ, "LASTSTEP": "1", "LASTSTEP_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"recorded\n"
        return process

    yield one
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def hooks(tmp_path: Path) -> str:
    """The folder that the processes record in."""
    return str(tmp_path / "hooks")


def test_a_training_is_found_with_its_name_its_process_and_what_it_recorded(start: Start, hooks: str) -> None:
    process = start()
    (found,) = hooked_runs(hooks)
    assert (found.name, found.driver_pid) == ("tiny-19700101T001640Z", process.pid)
    assert (found.config.total_steps, found.config.hooks_dir, found.config.driver_pid) == (3, hooks, process.pid)
    assert [(one.pid, one.role) for one in found.processes] == [(process.pid, "trainer")]


def test_one_that_ended_in_a_process_that_goes_on_is_not(start: Start, hooks: str) -> None:
    start(how="ended")
    assert hooked_runs(hooks) == ()


def test_one_whose_process_is_gone_is_not(start: Start, hooks: str) -> None:
    process = start()
    process.kill()
    process.wait()
    assert hooked_runs(hooks) == ()


def test_one_that_ray_knows_of_is_left_to_ray(start: Start, hooks: str) -> None:
    start(trainer="verl")
    assert hooked_runs(hooks) == ()


def test_the_ranks_of_one_training_are_its_processes_and_those_of_another_are_not(start: Start, hooks: str) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    first = start(RANK="0", **place)
    second = start(trainer="verl", RANK="1", **place)
    start(trainer="verl", RANK="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="29501")
    (found,) = hooked_runs(hooks)
    assert {(one.pid, one.role) for one in found.processes} == {(first.pid, "trainer"), (second.pid, "train-worker")}


def test_a_folder_that_is_not_there_holds_no_run(tmp_path: Path) -> None:
    assert hooked_runs(str(tmp_path / "nowhere")) == ()
