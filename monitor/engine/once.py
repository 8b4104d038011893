"""One reading of a run without a watch: facts, and snapshots where they are asked for. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from monitor.detect import fold, phase_limits, stall
from monitor.detect.judge import judge
from monitor.diagnose.capture import capture
from monitor.engine.engine import Attachment
from monitor.engine.position import position_of
from monitor.engine.source_set import SourceSet
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.run import RunState
from monitor.model.snapshot import RunPosition, Snapshot
from monitor.settings import Settings
from trainer_hooks import records


@dataclass(frozen=True)
class OneReading:
    """A run as it stands at one moment."""

    state: RunState
    position: RunPosition
    snapshots: tuple[Snapshot, ...]
    verdict: Verdict


def read_once(
    attached: Attachment, settings: Settings, *, snapshots: int, sleep: Callable[[float], None] = time.sleep
) -> OneReading:
    """Poll every source, take `snapshots` snapshots a gap apart, and judge. Raises `SourceError`."""
    location = attached.location
    state = replace(fold.begin(location.name, location.config, location.started_at), trainer=location.profile.name)
    sources = SourceSet(attached.api, location, settings, location.config.hooks_dir or records.hooks_directory())
    taken: list[Snapshot] = []
    try:
        for number in range(max(1, snapshots)):
            if number:
                sleep(settings.snapshot_gap_seconds)
            for _ in range(2):
                # The second round reads the folders that the first round's configuration named.
                state = fold.fold(state, sources.poll(time.time(), state.config))
            position = position_of(state, phase_limits.limit(state.phase or "", {}))
            if number < snapshots:
                taken.append(capture(attached.cluster, attached.api, location, position))
    finally:
        sources.close()
    state = replace(state, unknown=tuple(item.unknown for item in sources.statuses if item.unknown is not None))
    return OneReading(state, position, tuple(taken), _verdict(state, position, taken))


def _verdict(state: RunState, position: RunPosition, taken: list[Snapshot]) -> Verdict:
    if state.ended_at is not None:
        return Verdict(VerdictWord.ENDED)
    verdict = judge(taken) if taken else Verdict(VerdictWord.HEALTHY)
    silent = time.time() - (position.last_moved_at or time.time())
    if verdict.word is VerdictWord.HEALTHY and stall.is_stall(silent, position.phase_limit_seconds):
        return Verdict(VerdictWord.STALL, verdict.findings, (f"nothing moved for {silent:.0f} s", *verdict.reasons))
    return verdict
