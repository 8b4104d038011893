"""The engine: one tick polls the sources, folds their facts, follows the verdict, and stores all of it.

Everything it knows it reads again from files after a restart, and the ledger's keys are those of the facts themselves:
killing it at any moment loses nothing and doubles nothing. It writes to the ledger and the bundles only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from monitor.detect import fold, phase_limits
from monitor.diagnose import bundle as bundles
from monitor.diagnose.capture import capture
from monitor.engine import keepsakes
from monitor.engine.alarm import Alarm, AlarmChange
from monitor.engine.live import live_document, tail_of
from monitor.engine.position import position_of
from monitor.engine.source_set import SourceSet
from monitor.ledger.errors import LedgerError
from monitor.ledger.store import Ledger
from monitor.model.fact import Fact
from monitor.model.finding import Finding, VerdictWord
from monitor.model.reading import Unknown
from monitor.model.run import RunConfig, RunState
from monitor.model.snapshot import RunPosition, Snapshot
from monitor.paths import bundles_directory
from monitor.report.clean_text import clean
from monitor.settings import Settings
from monitor.sources.hooked_run import NoRayApi, processes_of
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.run_locator import RunLocation, locate
from trainer_hooks import records

RELOCATE_SECONDS = 5.0
"""How often the list of the run's processes is asked for anew while actors may still appear."""


@dataclass(frozen=True)
class Attachment:
    """A run found and ready to be watched."""

    cluster: RayCluster
    api: RayApi | NoRayApi
    location: RunLocation

    @property
    def place(self) -> str:
        """Where it lives, in words."""
        return f"on {self.cluster.gcs_address}" if self.cluster.gcs_address else "without Ray, by its hooks"

    def located_anew(self) -> RunLocation:
        """The same place, asked again: without Ray only its processes can be others. Raises `SourceError`."""
        if isinstance(self.api, NoRayApi):
            return replace(self.location, processes=processes_of(self.location.driver_pid, self.location.profile))
        return locate(self.cluster, self.api)


@dataclass(frozen=True)
class Tick:
    """What one tick brought, for those who print or react."""

    state: RunState
    facts: tuple[Fact, ...]
    raised: tuple[Finding, ...]
    withdrawn: tuple[Finding, ...]


class Engine:
    """Watches one attached run."""

    def __init__(
        self, attached: Attachment, ledger: Ledger, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._attached = attached
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        location = attached.location
        self.state = fold.begin(location.name, location.config, location.started_at)
        self.state = replace(self.state, trainer=location.profile.name)
        self.sources = SourceSet(
            attached.api, location, settings, location.config.hooks_dir or records.hooks_directory()
        )
        self.alarm = Alarm(self._capture, settings.first_snapshot_seconds)
        self.bundle: str | None = None
        self.limits: dict[str, float] = {}
        self._relocated_at = clock()
        self._keepsakes = keepsakes.Keepsakes(ledger, settings.hash_limit_bytes)
        self.ledger_unknown: Unknown | None = None
        self._inherited = True

    @property
    def position(self) -> RunPosition:
        """Where the run stands now."""
        return position_of(self.state, self.limits.get(self.state.phase or ""))

    def tick(self) -> Tick:
        """One round. Never raises for what a source, a snapshot or a full disk does."""
        now = self._clock()
        self._relocate(now)
        facts = self.sources.poll(now, self.state.config)
        self.state = fold.fold(self.state, facts)
        self.state = replace(self.state, unknown=self._unknowns())
        self.limits = self._learned_limits()
        change = self.alarm.tick(self.state, self.position, self._clock())
        self._store_bundle(change)
        self._store(facts)
        return Tick(self.state, tuple(facts), change.raised, change.withdrawn)

    def close(self) -> None:
        """Give back what the sources hold."""
        self.sources.close()

    def _withdraw_what_an_earlier_watch_left(self, now: float) -> None:
        """A finding of a watch that was killed, made before the run's last progress, no longer holds."""
        if self._inherited and self.state.progress is not None:
            self._ledger.withdraw_older_findings(self.state.name, self.state.progress.last_moved_at, now)
            self._inherited = False

    def _relocate(self, now: float) -> None:
        if now - self._relocated_at < RELOCATE_SECONDS or self.state.ended_at is not None:
            return
        self._relocated_at = now
        location = keepsakes.attempt(self._attached.located_anew)
        if location is not None and location.driver_pid == self._attached.location.driver_pid:
            self._attached = replace(self._attached, location=location)
            self.sources.relocate(location)
            self.state = replace(self.state, config=completed(self.state.config, location.config))

    def _capture(self, position: RunPosition) -> Snapshot:
        return capture(self._attached.cluster, self._attached.api, self._attached.location, position)

    def _learned_limits(self) -> dict[str, float]:
        history = self._keepsakes.history(self.state)
        names = {*history, self.state.phase or ""} - {""}
        limits = {name: phase_limits.limit(name, history) for name in sorted(names)}
        floor = self._settings.stall_floor_seconds
        return {name: max(limit, floor) for name, limit in limits.items() if limit is not None}

    def _unknowns(self) -> tuple[Unknown, ...]:
        found = [status.unknown for status in self.sources.statuses if status.unknown is not None]
        extra = [item for item in (self.alarm.unknown, self.ledger_unknown) if item is not None]
        return tuple(found + extra)

    def _store_bundle(self, change: AlarmChange) -> None:
        """A bundle at each new finding, and at the first moment of a stall or an unknown verdict that has snapshots."""
        word = self.alarm.verdict.word
        wanted = bool(change.raised) or (
            change.captured and word in (VerdictWord.STALL, VerdictWord.UNKNOWN) and self.bundle is None
        )
        if change.withdrawn:
            self.bundle = None
        if not wanted or not self.alarm.snapshots:
            return
        path = keepsakes.attempt(
            lambda: bundles.write(
                bundles_directory(),
                self.state,
                self.alarm.snapshots,
                self.alarm.verdict,
                log_paths=[self.state.config.console_log] if self.state.config.console_log else [],
            )
        )
        self.bundle = str(path) if path else self.bundle

    def _store(self, facts: list[Fact]) -> None:
        now = self._clock()
        try:
            self._keepsakes.keep(self.state, facts, now)
            self._withdraw_what_an_earlier_watch_left(now)
            self._keepsakes.keep_findings(self.state.name, self.alarm.verdict, self.bundle, now)
            document = live_document(
                self.state,
                self.alarm.verdict,
                self.sources,
                self._attached.cluster,
                now=now,
                bundle=self.bundle,
                snapshot=self.alarm.snapshots[-1] if self.alarm.snapshots else None,
                limits=self.limits,
                log_tail=tail_of(self.state.config.console_log, self._settings.log_tail_lines, clean),
            )
            self._ledger.write_live(self.state.name, document)
            self.ledger_unknown = None
        except LedgerError as error:
            since = self.ledger_unknown.since if self.ledger_unknown else now
            self.ledger_unknown = Unknown("ledger", since, str(error), error.HELP_TEXT)


def completed(config: RunConfig, found: RunConfig) -> RunConfig:
    """`config` with what it lacks and `found` has: some files are opened only after the watch came."""
    gaps = {
        field.name: getattr(found, field.name)
        for field in fields(RunConfig)
        if getattr(config, field.name) is None and getattr(found, field.name) is not None
    }
    return replace(config, **gaps)
