"""`ray-control-plane`: Ray's own raylet or GCS on this node is stopped or gone, and the run waits in Ray.

A suspicion: what the run waits for may be with processes that need neither. Told where the same process is stopped (or
gone) in both samples, the driver's or the trainer's main thread stands inside Ray in both, and nothing of the run
works.
"""

from __future__ import annotations

from monitor.detect.case import TRAINER_ROLES, Case
from monitor.detect.frames import innermost_users, is_ray, place
from monitor.detect.motions import STOPPED
from monitor.detect.scene import CONTROL_ROLES
from monitor.detect.standing import is_main
from monitor.model.finding import Culprit, Finding, WaitLink
from monitor.model.snapshot import ProcessState, Snapshot, ThreadState

NO_ANSWER = "does not answer"


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: what is stopped before what is gone."""
    if case.scene.earlier is None or case.working():
        return ()
    waits = _in_ray(case)
    if waits is None:
        return ()
    before = _stopped(case.scene.earlier)
    for pid, process in _stopped(case.scene.later).items():
        if pid in before:
            how = f"is stopped by a signal: kernel state {process.state} {case.both}"
            return (_finding(case, process.label, pid, how, waits),)
    gone = set(case.scene.later.gone) & set(case.scene.earlier.gone)
    return (_finding(case, min(gone), None, f"is gone {case.both}", waits),) if gone else ()


def _stopped(snapshot: Snapshot) -> dict[int, ProcessState]:
    held = (process for process in snapshot.processes if process.role in CONTROL_ROLES and process.state in STOPPED)
    return {process.pid: process for process in held}


def _in_ray(case: Case) -> tuple[ProcessState, ThreadState] | None:
    """The main thread of the trainer, else of the driver, that stands inside Ray in both samples."""
    mains = [
        (process, thread)
        for role in reversed(TRAINER_ROLES)
        for process in case.scene.processes.values()
        for thread in process.threads
        if process.role == role and is_main(process, thread) and case.scene.thread_held(process, thread)
    ]
    return next(((process, thread) for process, thread in mains if _inside_ray(thread)), None)


def _inside_ray(thread: ThreadState) -> bool:
    return bool(thread.frames) and is_ray(thread.frames[0]) and innermost_users(thread.frames) is not None


def _finding(case: Case, label: str, pid: int | None, how: str, waits: tuple[ProcessState, ThreadState]) -> Finding:
    process, thread = waits
    frame = innermost_users(thread.frames)
    waiter = case.scene.label(process.pid)
    sentence = (
        f"Ray's own {label} {how}, and {waiter} waits in Ray at {place(frame)}: without it no call is placed, begun or "
        "answered for. That the run's call needs it is not proved."
    )
    silent = [item for item in case.scene.later.unknown if NO_ANSWER in item.because]
    evidence = (
        case.evidence(f"{label} {how}"),
        case.evidence(case.describe(process, thread, frame), frame),
        *[case.evidence(f"{item.what}: {item.because}") for item in silent[:2]],
    )
    advice = (
        f"`kill -CONT {pid}` lets it go on."
        if pid is not None
        else "Look for why it ended in Ray's logs (`gcs_server.out`, `raylet.out`); the run can't be saved from there."
    )
    links = (WaitLink(waiter, label, "it waits in Ray"),)
    finding = case.finding("ray-control-plane", sentence, Culprit(pid, label), frame, links, evidence, advice)
    return finding.suspected()
