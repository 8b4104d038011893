"""Whose lines a console log holds, where several runs wrote it: by the process that Ray names before a line, by the
experiment of a printed configuration, and by the order of steps. Pure.

A run restarted into the same log writes after the earlier attempt; two runs at once write between each other's lines.
Lines of a process that is known to be another run's are left out. Where no process is named, lines of two runs can't be
told apart: from the first one that contradicts, nothing is told of the log. Two runs of which neither prints a
configuration are noticed only where one process tells one step with two values.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.sources.console_standing import Standing

CURE = "start each run with a log of its own; what the hooks, the file log and the dumps tell is not touched by this"
_PID = re.compile(r"\bpid=(?P<pid>\d+)(?:, ip=(?P<ip>[^,)\s]+))?")


@dataclass(frozen=True)
class OwnRun:
    """What is known of the run whose log is read."""

    experiment: str | None = None
    pids: frozenset[int] = frozenset()
    """Its trainer and its driver, as Ray numbers them on this node; empty where the trainer's is not known: then a line
    of another process proves nothing."""
    trainer_pid: int | None = None

    @classmethod
    def of(cls, experiment: str | None, driver_pid: int | None, trainer_pid: int | None) -> OwnRun:
        """Of what a run's location knows."""
        pids = {pid for pid in (driver_pid, trainer_pid) if pid} if trainer_pid else set()
        return cls(experiment, frozenset(pids), trainer_pid)


class Whose(enum.Enum):
    """Whose configuration was printed."""

    OURS = "ours"
    EARLIER = "earlier"
    """Another run's, above ours: what follows it is that run's until ours is printed."""
    OTHER = "other"
    """Another run's that writes beside ours; its process is known."""
    MIXED = "mixed"
    """Another run's that writes beside ours, and no line says whose it is."""


class Writers:
    """The processes that wrote the log so far, and which of them are another run's."""

    def __init__(self, own: OwnRun) -> None:
        self._own = own
        self._settled: set[str] = set()
        """Processes seen before the last line of the process that printed the last configuration: its run's."""
        self._recent: set[str] = set()
        """Seen since: they may be the next run's, whose configuration is not printed yet."""
        self._printer: str | None = None
        self._foreign: set[str] = set()
        self._ours: str | None = None
        """The process that printed our configuration; empty: no process was named; None: it was not printed yet."""
        self._experiment: str | None = None
        self._matched = False
        self._confirmed = False
        """A configuration of our run's own name was printed."""
        self._known: set[str] | None = None
        """Once another run writes beside ours: the processes that were ours before; no other one counts."""
        self._waiting = False
        """Under another run's configuration, ours not printed yet."""
        self.strict = False
        """Two configurations in a log without processes: steps must follow each other."""
        self.scores_unsure = False
        """An earlier experiment of such a log was not seen to end: whose scores these are is not known."""

    def counts(self, process: str) -> bool:
        """True where a line of `process` (Ray's prefix, or empty) may be our run's."""
        key = process_key(process)
        if not key:
            # Once another run writes too, a line that names no process (a redrawn bar) may be that run's.
            return not self._waiting and (self._known is None or not self._ours)
        self._recent.add(key)
        if key == self._printer:
            self._settled |= self._recent
            self._recent.clear()
        if self._ours and key in self._foreign and self._known is None:
            # A process of an earlier attempt still writes: that attempt is no earlier one, it goes on.
            self._known = {self._ours}
        if self._waiting or key in self._foreign:
            return False
        return self._known is None or key in self._known

    def beside(self, process: str) -> bool:
        """True where `process` is another run's, and that run writes at the same time as ours."""
        return self._known is not None and process_key(process) in self._foreign

    def configuration(self, experiment: str | None, process: str, before: Standing) -> Whose:
        """A configuration was printed by `process`. `before`: what the lines above it told."""
        key = process_key(process)
        if not self._owns(experiment, key):
            return self._another(key)
        if self._printer is not None:
            if key != self._printer:
                self._foreign |= (self._settled | {self._printer}) - {key, ""}
            self.strict = not key
            unlike = self._waiting or (experiment is not None and experiment != self._experiment)
            self.scores_unsure = not key and unlike and not ended(before)
        self._foreign.discard(key)
        self._printer = self._ours = key
        self._experiment, self._waiting, self._known = experiment, False, None
        return Whose.OURS

    def _another(self, key: str) -> Whose:
        if self._ours is None:
            self._waiting, self._printer = True, key
            return Whose.EARLIER
        if not key or not self._ours:
            return Whose.MIXED
        self._known = self._known or (self._settled - self._foreign - {key}) | {self._ours}
        self._foreign.add(key)
        return Whose.OTHER

    def _owns(self, experiment: str | None, key: str) -> bool:
        """By its process; else by its name, once ours was printed: a command line gives it before it is resolved."""
        named = None not in (self._own.experiment, experiment)
        same = named and experiment == self._own.experiment
        if key.isdigit() and int(key) in self._own.pids:
            self._matched = True
            return True
        if self._matched and key:
            return False
        if named and not same and key.isdigit() and self._own.pids:
            return False
        self._confirmed = self._confirmed or same
        return same or not named or not self._confirmed


def process_key(process: str) -> str:
    """`123`, or `123@10.0.0.7` of another node, out of Ray's `TaskRunner pid=123, ip=10.0.0.7`; empty: none named."""
    match = _PID.search(process)
    if match is None:
        return ""
    return match["pid"] if match["ip"] is None else f"{match['pid']}@{match['ip']}"


def ended(standing: Standing) -> bool:
    """True where an attempt was seen to reach its last step."""
    reached = standing.steps.highest(standing.bar)
    return reached is not None and standing.total_steps is not None and reached >= standing.total_steps


def follows(step: int, standing: Standing, *, resumes_told: bool) -> bool:
    """True where a line of `step` can be the same run's as the lines before it: the same step, or the next."""
    highest = standing.steps.highest()
    if highest is not None:
        return step in standing.steps or step == highest + 1
    if standing.resumed is not None:
        return step in (standing.resumed, standing.resumed + 1)
    return step <= 1 or not resumes_told


def contradicts(known: Mapping[str, float] | None, told: Mapping[str, float]) -> bool:
    """True where one process tells one metric of one step with two values: it is two runs that write."""
    return known is not None and any(name in known and known[name] != value for name, value in told.items())
