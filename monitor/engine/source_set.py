"""The pollers of one run, each on its own clock, each allowed to fail alone.

A source that fails becomes an `Unknown` with the moment it fell silent; the others go on. Folders (dumps, checkpoints,
file logger) are polled as soon as the run's configuration names them. Does not interpret: facts go to the fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.model.errors import LaststepError
from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.reading import Reading, Unknown
from monitor.model.run import EngineRequests, GpuReading, RunConfig
from monitor.model.snapshot import RayActor, RayCall
from monitor.settings import Settings
from monitor.sources.call_facts import CallFacts
from monitor.sources.checkpoints import CheckpointSource
from monitor.sources.console import ConsoleSource
from monitor.sources.console_writers import OwnRun
from monitor.sources.dumps import DumpSource
from monitor.sources.file_logger import FileLoggerSource
from monitor.sources.gpus import GpuReader
from monitor.sources.hook_files import HookSource
from monitor.sources.hooked_run import NoRayApi
from monitor.sources.process_load import Load, ProcessLoad
from monitor.sources.ray_api import RayApi
from monitor.sources.run_locator import RunLocation, RunProcess
from monitor.sources.trainer_profile import TrainerProfile
from monitor.sources.trainer_version import version_poll
from monitor.sources.validation_file import ValidationFileSource
from monitor.sources.vllm_metrics import VllmMetrics


@dataclass(frozen=True)
class SourceStatus:
    """When a source last answered, and why it doesn't where it doesn't."""

    name: str
    at: float | None
    unknown: Unknown | None = None


Poll = Callable[[float], list[Fact]]


def _words(error: Exception) -> tuple[str, str]:
    """Why a source is silent, and the cure where there is one."""
    if isinstance(error, (LaststepError, OSError)):
        return str(error), getattr(error, "HELP_TEXT", "")
    return (
        f"laststep could not read it ({type(error).__name__}: {error})",
        "this is a bug of laststep: please report it",
    )


def own_run(location: RunLocation) -> OwnRun:
    """What tells this run's lines from another's in one log."""
    trainer = next((process.pid for process in location.processes if process.role == "trainer"), None)
    return OwnRun.of(location.config.experiment, location.driver_pid, trainer)


class SourceSet:
    """All that is read of one run while it moves: facts only, no stacks."""

    def __init__(self, api: RayApi | NoRayApi, location: RunLocation, settings: Settings, hooks_directory: str) -> None:
        self._api = api
        self._location = location
        self._settings = settings
        self._profile: TrainerProfile = location.profile
        self._polls: dict[str, tuple[float, Poll]] = {}
        self._due: dict[str, float] = {}
        self._statuses: dict[str, SourceStatus] = {}
        self._call_facts = CallFacts(self._profile)
        self._gpu_reader = GpuReader(settings.gpu_deadline_seconds)
        self._load = ProcessLoad()
        self._end_told = False
        self.calls: tuple[RayCall, ...] = ()
        self.actors: tuple[RayActor, ...] = ()
        self.processes: tuple[RunProcess, ...] = location.processes
        self.loads: dict[int, Load] = {}
        self.gpus: Reading[tuple[GpuReading, ...]] = Reading(0.0)
        self.engines: Reading[tuple[EngineRequests, ...]] | None = None
        """Requests in the rollout engines; None: no endpoint is named."""
        tick = settings.tick_seconds
        if not location.profile.without_ray:
            self._polls["ray"] = (settings.ray_seconds, self._poll_ray)
        self._polls["gpus"] = (settings.gpu_seconds, self._poll_gpus)
        self._polls["processes"] = (tick, self._poll_processes)
        self._polls["hooks"] = (tick, HookSource(hooks_directory, self._pids, self._profile.checkpoints).poll)
        urls = dict.fromkeys((*settings.vllm_metrics_urls.split(), *self._profile.metrics_urls))
        self._vllm = VllmMetrics(urls, settings.request_deadline_seconds)
        if urls:
            self._polls["vllm metrics"] = (settings.ray_seconds, self._poll_vllm)
        own = own_run(location)
        trainer = own.trainer_pid or location.driver_pid
        self._polls["trainer version"] = (float("inf"), version_poll(self._profile, trainer))
        if location.console_log:
            console = ConsoleSource(Path(location.console_log), self._profile, own=own)
            self._polls["console"] = (tick, console.poll)

    @property
    def statuses(self) -> tuple[SourceStatus, ...]:
        """One status a source, in a stable order."""
        return tuple(self._statuses[name] for name in sorted(self._statuses))

    def poll(self, now: float, config: RunConfig) -> list[Fact]:
        """Facts of every source that is due."""
        self._add_folders(config)
        facts: list[Fact] = []
        for name, (every, poll) in list(self._polls.items()):
            if now < self._due.get(name, 0.0):
                continue
            self._due[name] = now + every
            facts += self._poll_one(name, poll, now)
        return facts

    def close(self) -> None:
        """End the GPU child."""
        self._gpu_reader.close()

    def _poll_one(self, name: str, poll: Poll, now: float) -> list[Fact]:
        before = self._statuses.get(name)
        try:
            facts = poll(now)
        except Exception as error:  # a source that breaks must not end the watch
            since = before.unknown.since if before and before.unknown else now
            unknown = Unknown(name, since, *_words(error))
            self._statuses[name] = SourceStatus(name, before.at if before else None, unknown)
            return []
        self._statuses[name] = SourceStatus(name, now)
        if self._polls[name][0] == float("inf"):
            # Read once and for good: its age says nothing.
            del self._statuses[name]
        return facts

    def _add_folders(self, config: RunConfig) -> None:
        tick = self._settings.tick_seconds
        if config.validation_data_dir and "dumps" not in self._polls:
            self._polls["dumps"] = (tick, DumpSource(Path(config.validation_data_dir), self._location.started_at).poll)
        if config.checkpoint_dir and "checkpoints" not in self._polls:
            self._polls["checkpoints"] = (
                self._settings.checkpoint_seconds,
                CheckpointSource(Path(config.checkpoint_dir), self._profile.checkpoints).poll,
            )
        if config.file_log and "file_logger" not in self._polls:
            self._polls["file_logger"] = (
                tick,
                FileLoggerSource(Path(config.file_log), self._profile, self._location.started_at).poll,
            )

        if config.validation_file and "validation file" not in self._polls:
            self._polls["validation file"] = (float("inf"), ValidationFileSource(Path(config.validation_file)).poll)

    def _pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def _poll_ray(self, now: float) -> list[Fact]:
        self.calls = self._api.calls()
        self.actors = self._api.actors()
        return self._call_facts.poll(self.calls, now)

    def _poll_gpus(self, now: float) -> list[Fact]:
        self.gpus = self._gpu_reader.poll(now)
        if self.gpus.unknown is not None:
            raise LaststepError(self.gpus.unknown.because, self.gpus.unknown.cure)
        return []

    def _poll_vllm(self, now: float) -> list[Fact]:
        self.engines = self._vllm.poll(now)
        if self.engines.unknown is not None:
            raise LaststepError(self.engines.unknown.because, self.engines.unknown.cure)
        return []

    def _poll_processes(self, now: float) -> list[Fact]:
        self.loads = self._load.poll(self._pids(), now)
        driver = self._location.driver_pid
        if self._end_told or driver is None or driver not in self.loads or self.loads[driver].state not in "XZ":
            return []
        self._end_told = True
        evidence = Evidence(f"the driver (pid {driver}) is gone", at=now)
        return [Fact(FactKind.RUN_END, "processes", now, data={"exit": "gone"}, evidence=evidence)]

    def relocate(self, location: RunLocation) -> None:
        """Take the newer list of processes: actors appear while a run starts."""
        self._location = replace(self._location, processes=location.processes)
        self.processes = location.processes
