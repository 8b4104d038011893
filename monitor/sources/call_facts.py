"""Progress seen in Ray's calls: the trainer's moving calls that began to run or ended between two readings.

Only calls that the profile names count, so that a heartbeat, a metrics scrape or a health check is never progress.
Pure but for the memory of the last reading.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.snapshot import RayCall
from monitor.sources.trainer_profile import TrainerProfile

SOURCE = "ray"
RUNNING = "RUNNING"


class CallFacts:
    """Compares each set of unfinished calls with the one before."""

    def __init__(self, profile: TrainerProfile) -> None:
        self._profile = profile
        self._before: dict[str, RayCall] | None = None
        self._read_at = 0.0

    def poll(self, calls: Iterable[RayCall], now: float) -> list[Fact]:
        """One fact where moving calls began or ended. The first reading only remembers.

        Where calls only began, it is of the moment that Ray tells, if that lies between the two readings.
        """
        present = {call.task_id: call for call in calls if self._moves(call)}
        before, self._before = self._before, present
        read_at, self._read_at = self._read_at, now
        if before is None:
            return []
        ended = [call for task_id, call in before.items() if task_id not in present]
        began = [
            call
            for task_id, call in present.items()
            if call.state == RUNNING and (task_id not in before or before[task_id].state != RUNNING)
        ]
        if not ended and not began:
            return []
        names = ", ".join(sorted({call.function or call.name for call in ended + began}))
        evidence = Evidence(f"{len(began)} calls began, {len(ended)} ended: {names}"[:200], at=now)
        data = {"finished": len(ended), "began": len(began)}
        at = now if ended else max(read_at, min(now, max(call.began_at or now for call in began)))
        return [Fact(FactKind.CALLS_MOVED, SOURCE, at, data=data, evidence=evidence)]

    def _moves(self, call: RayCall) -> bool:
        return self._profile.moves(call.function) or self._profile.moves(call.name)
