"""The run to watch inside a Ray cluster: its job, trainer, configuration, log and processes.

The newest live job that has a trainer actor. Its name is `<experiment>-<UTC start>`, from the configuration it printed,
its command line or its hooks; while a young run has told no name yet, it is not located, so that no run gets two names.
Ended runs are the ledger's.
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from monitor.model.reading import SourceError
from monitor.model.run import RunConfig
from monitor.model.snapshot import RayActor, RayCall
from monitor.sources import proc
from monitor.sources.process_mark import mark_of
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_processes import process_environ
from monitor.sources.ray_records import RayJob, RayWorker
from monitor.sources.run_config import ConfigPlaces, read_config
from monitor.sources.run_processes import RunProcess, find_processes
from monitor.sources.trainer_profile import TrainerProfile, load_profile, match_profile, profile_names
from trainer_hooks import records

__all__ = ["NoRun", "RunLocation", "RunProcess", "RunStarting", "locate"]

NAMING_SECONDS = 60.0
"""How long a run that has not printed its configuration is left to do so."""


class NoRun(SourceError):
    """Ray runs, but no training run is in it."""

    HELP_TEXT = "start the training, or name its Ray: `--ray HOST:PORT`"


class RunStarting(NoRun):
    """A run that has not told its name yet."""

    HELP_TEXT = "wait for its first lines: `laststep watch` does; if it prints elsewhere, say `--log PATH`"


class RayQuestions(Protocol):
    """What is asked of Ray here; `RayApi` answers it."""

    def jobs(self) -> tuple[RayJob, ...]: ...
    def actors(self) -> tuple[RayActor, ...]: ...
    def workers(self) -> tuple[RayWorker, ...]: ...
    def calls(self) -> tuple[RayCall, ...]: ...


@dataclass(frozen=True)
class RunLocation:
    """Where a run lives and what is known of it at once."""

    name: str
    job_id: str
    driver_pid: int | None
    """None where the driver is on another node or in another PID namespace."""
    started_at: float
    console_log: str | None
    profile: TrainerProfile
    config: RunConfig
    processes: tuple[RunProcess, ...]
    unseen: tuple[str, ...] = ()


def locate(
    cluster: RayCluster,
    api: RayQuestions,
    *,
    run_directory: Path | None = None,
    log: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> RunLocation:
    """The newest live run. Raises `NoRun`, `RunStarting` and what Ray's API raises."""
    jobs, actors = api.jobs(), api.actors()
    job, trainer = _choose(cluster, jobs, actors)
    names = [actor.class_name for actor in actors if actor.job_id == job.job_id]
    command = proc.title(job.driver_pid) if job.driver_pid else ""
    profile = match_profile(names, f"{job.entrypoint}\n{command}")
    found = find_processes(cluster, profile, job, actors, api.workers(), api.calls)
    started_at = job.started_at or clock()
    trainer_process = next((p for p in found.processes if p.actor_id == trainer.actor_id), None)
    console = log or _console_log(cluster, job, found.driver_pid, trainer_process, run_directory)
    hooks_dir = _hooks_directory(found.driver_pid)
    fields = read_config(
        ConfigPlaces(
            job.job_id,
            job.started_at or 0.0,
            profile,
            console,
            hooks_dir,
            found.driver_pid,
            trainer_process.pid if trainer_process else None,
            tuple(process.pid for process in found.processes),
        )
    )
    experiment = fields.get("experiment") or _named_on_command_line(command, profile)
    if experiment is None and clock() - started_at < NAMING_SECONDS:
        raise RunStarting(f"the run of job {job.job_id} is starting: it has not printed its configuration yet")
    fields.update(
        experiment=experiment,
        driver_pid=found.driver_pid,
        driver_mark=mark_of(found.driver_pid) if found.driver_pid else None,
        host=socket.gethostname() if found.driver_pid else None,
        started_at=started_at,
        hooks_dir=hooks_dir,
        console_log=str(console) if console else None,
    )
    return RunLocation(
        run_name(experiment or _entrypoint_name(job.entrypoint), started_at),
        job.job_id,
        found.driver_pid,
        started_at,
        str(console) if console else None,
        profile,
        run_config(fields),
        found.processes,
        found.unseen,
    )


def run_name(experiment: str, started_at: float) -> str:
    """`<experiment>-<UTC start>`, safe as a file name."""
    start = datetime.fromtimestamp(started_at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{re.sub(r'[^A-Za-z0-9._+=@-]+', '-', experiment).strip('-.') or 'run'}-{start}"


def _choose(cluster: RayCluster, jobs: Iterable[RayJob], actors: Iterable[RayActor]) -> tuple[RayJob, RayActor]:
    """The newest live job with a trainer actor, and that actor (a living one before a dead one)."""
    profiles = [load_profile(name) for name in profile_names()]
    live = sorted((job for job in jobs if job.status in ("RUNNING", "PENDING")), key=lambda job: -(job.started_at or 0))
    for job in live:
        trainers = [
            actor
            for actor in actors
            if actor.job_id == job.job_id and any(p.is_trainer_actor(actor.class_name) for p in profiles)
        ]
        if trainers:
            return job, min(trainers, key=lambda actor: actor.state == "DEAD")
    if live:
        names = ", ".join(f"{job.job_id} ({job.entrypoint[:60] or 'no entry point'})" for job in live[:5])
        raise NoRun(f"the Ray at {cluster.gcs_address} has no job with a trainer: {names}")
    raise NoRun(f"the Ray at {cluster.gcs_address} has no live job")


def _console_log(
    cluster: RayCluster, job: RayJob, driver_pid: int | None, trainer: RunProcess | None, run_directory: Path | None
) -> Path | None:
    """Where the driver prints to; else Ray's file of the submission or of the trainer's worker."""
    candidates: list[Path] = []
    output = proc.output_file(driver_pid) if driver_pid else None
    if output:
        candidates.append(Path(output))
    if run_directory is not None:
        candidates.append(run_directory / "console.log")
    if cluster.session_dir is not None:
        logs = cluster.session_dir / "logs"
        if job.submission_id:
            candidates.append(logs / f"job-driver-{job.submission_id}.log")
        if trainer is not None and trainer.worker_id:
            candidates.append(logs / f"worker-{trainer.worker_id}-{job.job_id}-{trainer.pid}.out")
    return next((path for path in candidates if path.is_file()), None)


def _hooks_directory(driver_pid: int | None) -> str:
    """The hooks' folder as the run's own environment names it."""
    own = process_environ(driver_pid).get(records.DIRECTORY_VARIABLE, "") if driver_pid else ""
    return os.path.join(own, "hooks") if own else records.hooks_directory()


def _named_on_command_line(command: str, profile: TrainerProfile) -> str | None:
    """`trainer.experiment_name=NAME` as Hydra takes it."""
    key = profile.config_keys.get("experiment")
    match = re.search(rf"(?:^|\s)\+*{re.escape(key)}=(['\"]?)([^\s'\"]+)\1(?:\s|$)", command) if key else None
    return match.group(2) if match else None


def _entrypoint_name(entrypoint: str) -> str:
    """`main_ppo` out of `python3 -m verl.trainer.main_ppo a=b`."""
    for word in entrypoint.split()[1:]:
        if not word.startswith("-"):
            return os.path.basename(word).removesuffix(".py").rpartition(".")[2]
    return "run"


def run_config(fields: dict[str, Any]) -> RunConfig:
    """What of `fields` a `RunConfig` has."""
    known = {field.name for field in dataclasses.fields(RunConfig)}
    return RunConfig(**{name: value for name, value in fields.items() if name in known})
