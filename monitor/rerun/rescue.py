"""Weights that exist only in a hung run's processes, saved by its own idle workers into a new folder.

Only where the trainer's profile names the call, and every train worker is alive, named in Ray and executes nothing: a
call to a busy one would queue behind what hangs. The call is made by a child process with the training's interpreter
(`rescue_driver`), which registers a driver in the run's Ray and dies with us. That the weights are those of the step is
what the run's position says; nothing in the worker's answer proves it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.model.errors import ExitCode, LaststepError
from monitor.model.snapshot import RayActor, RayCall, RunPosition
from monitor.rerun.environment import child_environment
from monitor.rerun.stop_plan import unsaved_step
from monitor.sources import checkpoints, proc
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_records import OVER
from monitor.sources.trainer_profile import TrainerProfile

SAVE_SECONDS = 600.0
RUNNING = "RUNNING"
TRAIN_WORKER = "train-worker"


class CannotRescue(LaststepError):
    """No worker can be asked."""

    exit_code = ExitCode.REFUSED


class RescueFailed(LaststepError):
    """A worker was asked, and there is no complete checkpoint."""

    HELP_TEXT = "the run was changed in nothing; what was written lies in the folder that the sentence names"
    exit_code = ExitCode.INTERNAL


@dataclass(frozen=True)
class RescueWorker:
    """An idle train worker."""

    actor_id: str
    name: str
    label: str


@dataclass(frozen=True)
class RescuePlan:
    """Who is asked for what."""

    run: str
    step: int
    folder: str
    """New; holds `global_step_N` and the marker afterwards."""
    method: str
    arguments: tuple[str | int, ...]
    workers: tuple[RescueWorker, ...]


def plan_rescue(
    run: str,
    job_id: str,
    profile: TrainerProfile,
    position: RunPosition,
    actors: Iterable[RayActor],
    calls: Iterable[RayCall],
    *,
    into: Path,
) -> RescuePlan:
    """The plan. Raises `CannotRescue` with the reason."""
    step = unsaved_step(position, profile.phases)
    if step is None:
        raise CannotRescue(
            f"the newest weights of {run} are on disk (step {position.newest_checkpoint_step})",
            "`laststep rerun` scores them from there",
        )
    if not profile.rescue_method:
        raise CannotRescue(
            f"no call is known with which the workers of trainer `{profile.name}` save by themselves",
            "stop the run only if its weights may be lost, or attach to its driver and call its own save",
        )
    if os.path.lexists(into):
        raise CannotRescue(f"{into} exists already", "name a new folder: --into DIR")
    workers = [
        actor for actor in actors if actor.job_id == job_id and profile.role_of(actor.class_name) == TRAIN_WORKER
    ]
    if not workers:
        raise CannotRescue(f"{run} has no train worker in its Ray", "there is nobody to ask")
    busy = {call.actor_id: call.name for call in calls if call.state not in OVER and call.job_id == job_id}
    for worker in workers:
        _refuse_where_it_cannot_answer(worker, busy)
    # Numbers stay numbers: workers take the step as one.
    words = tuple(
        step if word == "{step}" else word.replace("{folder}", str(into)) for word in profile.rescue_arguments
    )
    asked = tuple(RescueWorker(w.actor_id, w.name, f"{w.class_name} {w.name} (pid {w.pid})") for w in workers)
    return RescuePlan(run, step, str(into), profile.rescue_method, words, asked)


def _refuse_where_it_cannot_answer(worker: RayActor, busy: dict[str | None, str]) -> None:
    label = f"{worker.class_name} {worker.name} (pid {worker.pid})"
    if worker.state != "ALIVE":
        raise CannotRescue(f"{label} is {worker.state}", "its weights are gone with it, or not there yet")
    if not worker.name:
        raise CannotRescue(f"{label} has no name in Ray", "only its own driver can call it")
    if worker.actor_id in busy:
        raise CannotRescue(
            f"{label} is not idle: `{busy[worker.actor_id]}` is under way or queued on it",
            "a further call would queue behind that one",
        )
    fields = proc.stat_fields(worker.pid) if worker.pid else []
    if fields and fields[0] in ("T", "t"):
        raise CannotRescue(f"{label} is stopped (state {fields[0]})", "it answers nobody until it is continued")


def rescue(plan: RescuePlan, cluster: RayCluster, python: str | None = None, seconds: float = SAVE_SECONDS) -> Path:
    """Ask them, all at once, and return the complete `global_step_N`. Raises `RescueFailed`."""
    folder = Path(plan.folder)
    folder.mkdir(mode=0o700, parents=True)
    order = {
        "method": plan.method,
        "arguments": plan.arguments,
        "workers": [[worker.actor_id, worker.name] for worker in plan.workers],
        "seconds": seconds,
    }
    environment = child_environment(os.environ, plan.folder)
    environment.update(RAY_ADDRESS=cluster.gcs_address, RAY_USAGE_STATS_ENABLED="0")
    if cluster.token:
        environment.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=cluster.token)
    words = [python or sys.executable, "-m", "monitor.rerun.rescue_driver"]
    try:
        done = subprocess.run(
            words,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            env=environment,
            cwd=folder,
            timeout=seconds + 60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RescueFailed(f"the workers gave no answer, see {plan.folder}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        if not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        raise RescueFailed(f"the workers did not save: {last[:300]}")
    (folder / checkpoints.MARKER).write_text(str(plan.step), encoding="ascii")
    path = folder / f"global_step_{plan.step}"
    if not path.is_dir() or not checkpoints.inspect(path).complete:
        raise RescueFailed(f"the workers answered, but {path} is no complete checkpoint")
    return path
