"""Which workers are asked to save, and every reason to ask none; Ray's records are made here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.model.snapshot import RayActor, RayCall, RunPosition
from monitor.rerun.rescue import CannotRescue, RescuePlan, RescueWorker, plan_rescue
from monitor.sources.trainer_profile import load_profile

UNSAVED = RunPosition("small-1", step=4, phase="testing", newest_checkpoint_step=2)


def worker(number: int = 0, **changes: Any) -> RayActor:
    """A train worker of job 01; its process is this test's."""
    values = {
        "actor_id": f"a{number}",
        "class_name": "WorkerDict",
        "name": f"demoWorkerDict_0:{number}",
        "state": "ALIVE",
        "pid": os.getpid(),
        "job_id": "01",
    }
    return RayActor(**{**values, **changes})


def call(actor: str, state: str) -> RayCall:
    """A call to an actor."""
    return RayCall("t", "WorkerDict.update_actor", "update_actor", state, job_id="01", actor_id=actor)


def planned(
    tmp_path: Path,
    *actors: RayActor,
    calls: tuple[RayCall, ...] = (),
    position: RunPosition = UNSAVED,
    trainer: str = "demo",
) -> RescuePlan:
    """The plan into a new folder."""
    profile = load_profile(trainer)
    return plan_rescue("small-1", "01", profile, position, actors, calls, into=tmp_path / "new")


def test_every_idle_rank_of_this_job_is_asked_and_no_actor_of_another(tmp_path: Path) -> None:
    strange = worker(7, job_id="02")
    server = worker(8, class_name="RolloutServer", name="rollout_server_0")
    plan = planned(tmp_path, worker(0), worker(1), strange, server, calls=(call("a0", "FINISHED"),))
    assert [asked.actor_id for asked in plan.workers] == ["a0", "a1"]
    assert (plan.method, plan.arguments) == ("save_checkpoint", (str(tmp_path / "new"), 4))
    assert isinstance(plan.workers[0], RescueWorker)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calls": (call("a0", "RUNNING"),)}, "not idle"),
        ({"calls": (call("a0", "PENDING_ACTOR_TASK_ARGS_FETCH"),)}, "not idle"),
        ({"position": RunPosition("small-1", step=4, newest_checkpoint_step=4)}, "are on disk"),
        ({"trainer": "verl"}, "no call is known"),
    ],
)
def test_what_speaks_against_it_is_refused_with_the_reason(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CannotRescue, match=words):
        planned(tmp_path, worker(0), **changes)


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        (worker(1, state="DEAD"), "is DEAD"),
        (worker(1, name=""), "has no name"),
        (worker(1, class_name="RolloutServer", job_id="02"), ""),
    ],
)
def test_one_rank_that_cannot_be_asked_refuses_all(tmp_path: Path, actor: RayActor, words: str) -> None:
    if not words:
        assert len(planned(tmp_path, worker(0), actor).workers) == 1
        return
    with pytest.raises(CannotRescue, match=words):
        planned(tmp_path, worker(0), actor)


def test_a_run_without_train_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRescue, match="no train worker"):
        planned(tmp_path)


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(CannotRescue, match="exists already"):
        planned(tmp_path, worker(0))


def test_a_stopped_worker_is_refused(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        with pytest.raises(CannotRescue, match="is stopped"):
            planned(tmp_path, worker(0, pid=child.pid))
    finally:
        child.kill()
        child.wait()
