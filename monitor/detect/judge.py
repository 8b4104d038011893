"""The verdict on snapshots of one stretch without progress: one cause, one class, or what is missing for a proof.

Pure. The two newest snapshots far enough apart are judged; a finding rests on what held in both. No proof: `healthy`
where the chain of waits ends at something that was seen to work, `stall` where a suspicion stands and the run is silent
for longer than its phase's limit, else `unknown` with where the chain ends, and what would show more. All other phase
limits, and the time since the last progress, are the engine's to weigh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.detect.case import Case
from monitor.detect.leaves import healthy_reasons, unknown_reasons
from monitor.detect.rules import (
    actor_cycle,
    actor_dead,
    collectives,
    control_plane,
    control_queue,
    debugger,
    engine_drain,
    leaf_blockers,
    log_pipe,
    loop_blocked,
    lost_wakeup,
    object_store,
    own_loop_result,
    pipe_full,
    resources,
    self_get,
    stopped,
    thread_knot,
    tool_stuck,
)
from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.model.snapshot import Snapshot

LEAST_GAP_SECONDS = 1.0
"""Two samples closer than this are one: a moment in which all wait is no proof."""

RULES: tuple[Callable[[Case], tuple[Finding, ...]], ...] = (
    stopped.find,
    control_plane.find,
    actor_dead.find,
    debugger.find,
    self_get.find,
    own_loop_result.find,
    actor_cycle.find,
    pipe_full.find,
    resources.find,
    object_store.find,
    collectives.find,
    loop_blocked.find,
    control_queue.find,
    lost_wakeup.find,
    thread_knot.find,
    engine_drain.find,
    log_pipe.find,
    leaf_blockers.find,
)
"""In order of precedence: the first rule that proves something names the cause, later ones would name its symptoms.
Findings without proof are kept as suspicions, of the first rule that has one."""


def judge(snapshots: Sequence[Snapshot]) -> Verdict:
    """The verdict on `snapshots`, oldest first, all of one node or joined."""
    if not snapshots:
        return Verdict(VerdictWord.UNKNOWN, reasons=("no snapshot was taken",))
    later = snapshots[-1]
    if later.position.ended:
        return Verdict(VerdictWord.ENDED)
    earlier = _earlier(snapshots)
    if earlier is None:
        return Verdict(VerdictWord.UNKNOWN, reasons=("one sample of this stretch: a proof needs two",))
    case = Case(earlier, later)
    suspicions: tuple[Finding, ...] = ()
    for rule in RULES:
        findings = rule(case)
        proved = tuple(finding for finding in findings if finding.proved)
        if proved:
            return Verdict(VerdictWord.HANG, proved)
        suspicions = suspicions or findings
    healthy = healthy_reasons(case)
    if healthy:
        return Verdict(VerdictWord.HEALTHY, reasons=healthy, suspicions=suspicions)
    reasons = (*(finding.sentence for finding in suspicions), *unknown_reasons(case))
    if not case.overdue:
        return Verdict(VerdictWord.UNKNOWN, reasons=reasons, suspicions=suspicions)
    beyond_limit = tool_stuck.find(case) or suspicions
    return Verdict(VerdictWord.STALL if beyond_limit else VerdictWord.UNKNOWN, beyond_limit, reasons, suspicions)


def _earlier(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The newest snapshot before the last one that is of the same stretch and far enough from it."""
    later = snapshots[-1]
    for snapshot in reversed(snapshots[:-1]):
        same_stretch = snapshot.position.last_moved_at == later.position.last_moved_at
        if same_stretch and later.taken_at - snapshot.taken_at >= LEAST_GAP_SECONDS:
            return snapshot
    return None
