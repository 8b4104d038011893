"""Locating a run: the right job of several, one name for good, paths from the right folder, what is elsewhere named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pprint import pformat

import pytest

from monitor.model.snapshot import RayActor, RayCall
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_records import RayJob, RayWorker
from monitor.sources.run_locator import NoRun, RunStarting, locate, run_name
from tests.sources.hung_ray import wait_until

NODE, FAR = "ab12" * 14, "cd34" * 14
BEGAN = 1_700_000_000.0


@dataclass
class FakeRay:
    """What Ray would answer."""

    job_list: tuple[RayJob, ...] = ()
    actor_list: tuple[RayActor, ...] = ()
    worker_list: tuple[RayWorker, ...] = ()
    call_list: tuple[RayCall, ...] = field(default=())

    def jobs(self) -> tuple[RayJob, ...]:
        return self.job_list

    def actors(self) -> tuple[RayActor, ...]:
        return self.actor_list

    def workers(self) -> tuple[RayWorker, ...]:
        return self.worker_list

    def calls(self) -> tuple[RayCall, ...]:
        return self.call_list


def _job(number: int, pid: int | None, status: str = "RUNNING", began: float = BEGAN, entry: str = "x.py") -> RayJob:
    return RayJob(f"0{number}000000", pid, status, entry, began)


def _actor(job: int, pid: int, class_name: str = "TaskRunner", node: str = NODE, state: str = "ALIVE") -> RayActor:
    return RayActor(f"{class_name}{job}{pid}", class_name, "", state, pid, node, f"0{job}000000")


def _cluster() -> RayCluster:
    return RayCluster("127.0.0.1:6379", "http://127.0.0.1:1", None, node_id=NODE)


@contextmanager
def process(title: str, output: Path | None = None, folder: Path | None = None) -> Iterator[int]:
    """A real process with the command line `title …` and its stdout in a file."""
    code = "import sys, time\nprint('up', file=sys.stderr, flush=True)\ntime.sleep(600)"
    with (output or Path(os.devnull)).open("ab") as stdout:
        child = subprocess.Popen(
            [title, "-c", code], executable=sys.executable, stdout=stdout, stderr=subprocess.PIPE, cwd=folder
        )
        try:
            assert child.stderr is not None and child.stderr.readline() == b"up\n"
            yield child.pid
        finally:
            child.kill()
            child.communicate()


def _console(folder: Path, **trainer: object) -> Path:
    config = {
        "data": {"val_files": "data/validation.jsonl"},
        "trainer": {"experiment_name": "exp one", "project_name": "p", "logger": ["file"], **trainer},
    }
    path = folder / "console.log"
    path.write_text("\n".join(f"(TaskRunner pid=1) {line}" for line in pformat(config).splitlines()) + "\n")
    return path


def test_a_ray_without_a_run_says_which_jobs_there_are() -> None:
    with pytest.raises(NoRun, match="no live job"):
        locate(_cluster(), FakeRay((_job(1, 1, "SUCCEEDED"),), (_actor(1, 1),)))
    with pytest.raises(NoRun, match=r"01000000 \(serve\.py\)"):
        locate(_cluster(), FakeRay((_job(1, 1, entry="serve.py"),), (_actor(1, 1, "ServeController"),)))


def test_the_newest_live_job_with_a_trainer_is_the_run(tmp_path: Path) -> None:
    log = _console(tmp_path)
    with process("python3", log, tmp_path) as driver, process("ray::TaskRunner.run", None, tmp_path) as trainer:
        ray = FakeRay(
            (
                _job(1, driver, began=BEGAN),
                _job(2, driver, began=BEGAN + 5),
                _job(3, driver, began=BEGAN + 9),
                _job(4, driver, "FAILED", BEGAN + 10),
            ),
            (_actor(1, trainer), _actor(2, trainer), _actor(3, trainer, "Other"), _actor(4, trainer)),
        )
        location = locate(_cluster(), ray)
    assert location.job_id == "02000000"
    assert location.name == "exp-one-20231114T221325Z"
    assert location.driver_pid == driver
    assert location.console_log == str(log)


def test_a_young_run_without_a_name_is_not_located_and_an_old_one_is_named_by_its_program(tmp_path: Path) -> None:
    ray = FakeRay((_job(1, None, entry="python3 -m verl.trainer.main_ppo a.b=c"),), (_actor(1, 1, node=FAR),))
    with pytest.raises(RunStarting, match="is starting"):
        locate(_cluster(), ray, clock=lambda: BEGAN + 5)
    assert locate(_cluster(), ray, clock=lambda: BEGAN + 500).name == "main_ppo-20231114T221320Z"


def test_an_experiment_named_on_the_command_line_is_known_before_it_is_printed(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", "trainer.experiment_name=from-hydra", "x=1"]
    )
    try:
        wait_until(lambda: b"from-hydra" in Path(f"/proc/{child.pid}/cmdline").read_bytes())
        ray = FakeRay((_job(1, child.pid),), (_actor(1, 1, node=FAR),))
        assert locate(_cluster(), ray, clock=lambda: BEGAN + 5).name == "from-hydra-20231114T221320Z"
    finally:
        child.kill()
        child.wait()


def test_what_is_elsewhere_is_listed_as_unseen_and_its_driver_is_not_ours(tmp_path: Path) -> None:
    with process("ray::WorkerDict.update") as here, process("bash") as stranger:
        ray = FakeRay(
            (_job(1, 4711),),
            (
                _actor(1, 17, node=FAR),
                _actor(1, here, "WorkerDict"),
                _actor(1, stranger, "RolloutServer"),
                _actor(1, 18, "AgentLoopWorker", FAR, "DEAD"),
            ),
            (RayWorker("01000000" + "f" * 48, 4711, FAR, "DRIVER", True),),
        )
        location = locate(_cluster(), ray)
    assert [(p.pid, p.role) for p in location.processes] == [(here, "train-worker")]
    assert location.driver_pid is None
    assert len(location.unseen) == 3
    assert "driver (pid 4711) on node cd34cd34" in location.unseen
    assert f"TaskRunner (pid 17) on node {FAR[:8]}" in location.unseen
    assert any("RolloutServer" in text and "PID namespace" in text for text in location.unseen)


def test_task_workers_children_and_idle_workers(tmp_path: Path) -> None:
    with process("ray::reward_fn") as task, process("ray::IDLE") as idle, process("ray::TaskRunner.run") as trainer:
        calls = (RayCall("1", "reward_fn", "reward_fn", "RUNNING", "01000000", worker_pid=task, node_id=NODE),)
        workers = tuple(RayWorker(f"w{pid}", pid, NODE, "WORKER", True) for pid in (task, idle, trainer))
        ray = FakeRay((_job(1, None),), (_actor(1, trainer),), workers, calls)
        found = {process.pid: process for process in locate(_cluster(), ray).processes}
    assert set(found) == {task, trainer}
    assert found[task].label == f"task reward_fn (pid {task})"
    assert found[trainer].worker_id == f"w{trainer}"


def test_children_of_a_worker_are_of_the_run_with_the_role_their_title_tells(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(['VLLM::EngineCore', '-c', 'import time; time.sleep(600)'], executable=sys.argv[1])\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen(["ray::vLLMHttpServer.generate", "-c", code, sys.executable], executable=sys.executable)
    try:
        ray = FakeRay((_job(1, None),), (_actor(1, 1, node=FAR), _actor(1, parent.pid, "vLLMHttpServer")))
        wait_until(lambda: len(locate(_cluster(), ray).processes) == 2)
        server, engine = locate(_cluster(), ray).processes
        assert (server.role, engine.role) == ("rollout", "rollout")
        assert engine.label.startswith("VLLM::EngineCore") and "child of vLLMHttpServer" in engine.label
        os.kill(engine.pid, 9)
    finally:
        parent.kill()
        parent.wait()


def test_relative_paths_are_the_trainers_unless_only_the_driver_has_them(tmp_path: Path) -> None:
    driver_folder, trainer_folder = tmp_path / "driver", tmp_path / "trainer"
    (driver_folder / "data").mkdir(parents=True)
    (driver_folder / "data/validation.jsonl").write_text("{}\n")
    trainer_folder.mkdir()
    log = _console(tmp_path, default_local_dir="checkpoints")
    with process("python3", log, driver_folder) as driver, process("ray::T", None, trainer_folder) as trainer:
        config = locate(_cluster(), FakeRay((_job(1, driver, began=time.time()),), (_actor(1, trainer),))).config
    assert config.validation_file == str(driver_folder / "data/validation.jsonl")
    assert config.checkpoint_dir == str(trainer_folder / "checkpoints")
    assert config.file_log == str(trainer_folder / "p" / "exp one.jsonl")


def test_a_log_given_by_hand_is_the_runs(tmp_path: Path) -> None:
    log = _console(tmp_path, experiment_name="by-hand")
    ray = FakeRay((_job(1, None, began=BEGAN + 77),), (_actor(1, 1, node=FAR),))
    assert locate(_cluster(), ray, log=log).config.experiment == "by-hand"
    assert locate(_cluster(), ray, run_directory=tmp_path).console_log == str(log)


def test_a_run_name_is_safe_as_a_file_name() -> None:
    assert run_name("a/b ../c", 0.0) == "a-b-..-c-19700101T000000Z"
    assert run_name("///", 0.0) == "run-19700101T000000Z"
