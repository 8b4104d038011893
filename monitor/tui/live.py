"""The live document that the watch writes, as the screens take it: parsed once, by name, in one frozen value.

A document of a newer schema or with damaged parts raises `LiveUnreadable`, which the screens show as a sentence. Lists
that are missing are empty: an older watch may know less.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from monitor.model.errors import LaststepError
from monitor.model.finding import Verdict
from monitor.model.json_form import MalformedRecord, from_json, from_json_again
from monitor.model.reading import Reading, Unknown
from monitor.model.run import EngineRequests, GpuReading, RunState, Validation

SCHEMA = 1


class LiveUnreadable(LaststepError):
    """A live document that this version can't read."""

    HELP_TEXT = "the watch and the dashboard are of different versions: restart `laststep watch`"


@dataclass(frozen=True)
class WatchRow:
    """The process that wrote the document."""

    pid: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class ProcessRow:
    """One process of the run, as cheaply as it is read each tick."""

    pid: int
    role: str
    label: str
    state: str = "?"
    cpu_percent: float | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True)
class LoopRow:
    """One event loop at the last snapshot. `blocked_seconds` None: idle, or not known."""

    process: str
    thread: str
    blocked_seconds: float | None = None
    pending_tasks: int | None = None
    lag_seconds: float | None = None


@dataclass(frozen=True)
class LogRow:
    """The run's log and its last lines, cleaned by the watch."""

    path: str | None = None
    tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceRow:
    """A source, when it last answered, and why it doesn't where it doesn't."""

    name: str
    at: float | None = None
    unknown: Unknown | None = None


@dataclass(frozen=True)
class ClusterRow:
    """The Ray cluster that is watched."""

    gcs_address: str | None = None
    dashboard_url: str | None = None
    session_dir: str | None = None


@dataclass(frozen=True)
class Live:
    """One tick of the watch."""

    at: float
    run: RunState
    verdict: Verdict
    watch: WatchRow = WatchRow()
    bundle: str | None = None
    gpus: Reading[tuple[GpuReading, ...]] | None = None
    engines: Reading[tuple[EngineRequests, ...]] | None = None
    processes: tuple[ProcessRow, ...] = ()
    loops: tuple[LoopRow, ...] = ()
    loops_at: float | None = None
    phase_limits: dict[str, float] = field(default_factory=dict)
    log: LogRow = LogRow()
    sources: tuple[SourceRow, ...] = ()
    cluster: ClusterRow = ClusterRow()

    @property
    def final_validation(self) -> Validation | None:
        """The validation of the run's last step, None where it has not begun or the last step is not known."""
        final = self.run.final_step
        return None if final is None else self.run.validation_at(final)

    @property
    def validation_under_way(self) -> Validation | None:
        """The validation that began and has not ended."""
        return next((item for item in reversed(self.run.validations) if item.began_at and not item.ended_at), None)


@dataclass(frozen=True)
class _GpuReadings:
    """The shape of `gpus` in the document: a `Reading` whose value is a list."""

    at: float
    value: tuple[GpuReading, ...] | None = None
    unknown: Unknown | None = None


@dataclass(frozen=True)
class _EngineReadings:
    """The shape of `engines` in the document."""

    at: float
    value: tuple[EngineRequests, ...] | None = None
    unknown: Unknown | None = None


def parse(document: dict[str, Any], last: tuple[dict[str, Any], Live] | None = None) -> Live:
    """The live value of a document. Raises `LiveUnreadable`.

    `last`: the document before it and its value; the parts that did not change since are taken from there.
    """
    schema = document.get("schema")
    if schema != SCHEMA:
        raise LiveUnreadable(f"the watch writes live documents of schema {schema}, this dashboard reads {SCHEMA}")
    try:
        live = from_json_again(Live, _plain_part(document), (_plain_part(last[0]), last[1]) if last else None)
        gpus = engines = None
        if document.get("gpus") is not None:
            read = from_json(_GpuReadings, document["gpus"])
            gpus = Reading(read.at, read.value, read.unknown)
        if document.get("engines") is not None:
            asked = from_json(_EngineReadings, document["engines"])
            engines = Reading(asked.at, asked.value, asked.unknown)
        return replace(live, gpus=gpus, engines=engines)
    except MalformedRecord as error:
        raise LiveUnreadable(f"the live document is damaged: {error}") from error


def _plain_part(document: dict[str, Any]) -> dict[str, Any]:
    """What is built by its fields' own types; readings are built apart."""
    apart = ("gpus", "engines", "schema")
    return {key: value for key, value in document.items() if key not in apart and value is not None}
