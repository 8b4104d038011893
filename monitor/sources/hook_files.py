"""What the hooks of the run's processes wrote: event lines and progress counters, as facts.

Only files of the run's own processes count (a reused pid has another start time, hence another name). Samples are
summed over processes. Lines that don't parse are skipped, as the writer allows. The responder is asked elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.reading import SourceError
from monitor.sources.checkpoints import VERL, NoCheckpoint, inspect
from monitor.sources.counter_file import Slot, read_counters
from monitor.sources.log_tail import LogLine, LogTail
from monitor.sources.printed_config import PATHS, absolute
from monitor.sources.trainer_profile import CheckpointPatterns
from trainer_hooks import records

SOURCE = "hook"
TESTING = "testing"
LONGEST_EVENT = 8 << 20
_KINDS = {kind.value: kind for kind in FactKind}
_SAMPLES = records.validation_samples(0)[:-1]


class UnsafeHooks(SourceError):
    """The hooks' folder is not this user's alone."""

    HELP_TEXT = "set LASTSTEP_DIR to a folder of your own, for the run and for the watch alike"


@dataclass
class _Process:
    tail: LogTail
    pid: int
    start: int
    counters: dict[str, Slot] = field(default_factory=dict)
    malformed: int = 0


class HookSource:
    """Poller of the hooks' folder for the processes that `pids` names. `layout`: of the trainer's checkpoints."""

    def __init__(
        self, directory: str | Path, pids: Callable[[], Iterable[int]], layout: CheckpointPatterns = VERL
    ) -> None:
        self._directory = Path(directory)
        self._layout = layout
        self._pids = pids
        self._processes: dict[str, _Process] = {}
        self._done: dict[int, int] = {}
        self._totals: dict[int, int | None] = {}
        self._rollout = 0

    @property
    def seen(self) -> tuple[int, ...]:
        """Processes whose hooks have spoken."""
        return tuple(sorted(process.pid for process in self._processes.values()))

    def poll(self, now: float) -> list[Fact]:
        """Facts written since the last call. Raises `UnsafeHooks`."""
        self._find()
        facts: list[Fact] = []
        for process in self._processes.values():
            facts += self._events(process, now)
            path = process.tail.path.with_name(records.stem(process.pid, process.start) + records.COUNTERS_ENDING)
            process.counters = read_counters(path) or process.counters
        facts.sort(key=lambda fact: fact.at)
        return facts + self._samples(now)

    def _find(self) -> None:
        try:
            found = os.stat(self._directory)
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnsafeHooks(f"the hooks' folder {self._directory} can't be read: {error.strerror}") from error
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise UnsafeHooks(
                f"the hooks' folder {self._directory} can be written by others, so its files prove nothing"
            )
        wanted = {int(pid) for pid in self._pids()}
        for name in names:
            stem = name[: -len(records.EVENTS_ENDING)] if name.endswith(records.EVENTS_ENDING) else ""
            pid, _, start = stem.partition("-")
            if stem in self._processes or not (pid.isdigit() and start.isdigit()) or int(pid) not in wanted:
                continue
            if _start_ticks(int(pid)) in (int(start), None):
                tail = LogTail(self._directory / name, longest_line=LONGEST_EVENT)
                self._processes[stem] = _Process(tail, int(pid), int(start))

    def _events(self, process: _Process, now: float) -> list[Fact]:
        facts = []
        while True:
            for line in process.tail.lines():
                fact = self._fact(process, line, now)
                if fact is not None:
                    facts.append(fact)
            if not process.tail.behind:
                return facts

    def _fact(self, process: _Process, line: LogLine, now: float) -> Fact | None:
        try:
            record = json.loads(line.text)
            kind = _KINDS.get(record["kind"])
            at = min(float(record["at"]), now)
            step, phase, data = record.get("step"), record.get("phase"), record.get("data") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            process.malformed += 1
            return None
        if kind is None or not isinstance(data, dict) or not isinstance(step, (int, type(None))):
            return None
        data = _checked(kind, data, process.pid, self._layout)
        if (
            kind is FactKind.PHASE_BEGIN
            and phase == TESTING
            and step is not None
            and isinstance(data.get("total"), int)
        ):
            self._totals[step] = data["total"]
        words = f"the hook of pid {process.pid} recorded {kind.value}"
        evidence = Evidence(words, str(process.tail.path), line.number, at)
        return Fact(kind, SOURCE, at, step, phase if isinstance(phase, str) else None, data, evidence)

    def _samples(self, now: float) -> list[Fact]:
        done: dict[int, int] = {}
        latest: dict[int, float] = {}
        rollout, rollout_at = 0, 0.0
        for process in self._processes.values():
            for name, slot in process.counters.items():
                suffix = name[len(_SAMPLES) :]
                if name.startswith(_SAMPLES) and suffix.isdigit():
                    step = int(suffix)
                    done[step] = done.get(step, 0) + slot.value
                    latest[step] = max(latest.get(step, 0.0), slot.at)
                elif name == records.ROLLOUT_SAMPLES:
                    rollout += slot.value
                    rollout_at = max(rollout_at, slot.at)
        facts = []
        for step in sorted(done):
            if done[step] > self._done.get(step, 0):
                self._done[step] = done[step]
                at = min(now, latest[step] or now)
                evidence = Evidence(f"{done[step]} samples counted in the agent loops", str(self._directory), None, at)
                data = {"done": done[step], "total": self._totals.get(step)}
                facts.append(Fact(FactKind.SAMPLES, SOURCE, at, step, TESTING, data, evidence))
        if rollout > self._rollout:
            at = min(now, rollout_at or now)
            evidence = Evidence(f"{rollout} training samples counted", str(self._directory), None, at)
            data = {"finished": rollout - self._rollout}
            facts.append(Fact(FactKind.CALLS_MOVED, SOURCE, at, data=data, evidence=evidence))
            self._rollout = rollout
        return facts


def _checked(kind: FactKind, data: dict[str, Any], pid: int, layout: CheckpointPatterns) -> dict[str, Any]:
    """A hook's data with what only the outside can know: paths made absolute, a checkpoint's shards looked at."""
    if kind is FactKind.RUN_CONFIG:
        # The hook calls its own process the driver; which process drives the job is for Ray to say.
        kept = {name: value for name, value in data.items() if value is not None and name != "driver_pid"}
        return {name: value for name, value in ((n, _path(n, v, pid)) for n, v in kept.items()) if value is not None}
    if kind is FactKind.CHECKPOINT and isinstance(data.get("path"), str):
        try:
            state = inspect(Path(data["path"]), layout)
        except NoCheckpoint:
            return {**data, "complete": False, "bytes": data.get("bytes", 0)}
        return {**data, "complete": state.complete, "bytes": state.bytes, "missing": list(state.missing)}
    return data


def _path(name: str, value: Any, pid: int) -> Any:
    if name not in PATHS or not isinstance(value, str) or os.path.isabs(value):
        return value
    try:
        return absolute(value, Path(os.readlink(f"/proc/{pid}/cwd")))
    except OSError:
        return None


def _start_ticks(pid: int) -> int | None:
    try:
        return records.start_ticks(pid)
    except (OSError, ValueError, IndexError):
        return None
