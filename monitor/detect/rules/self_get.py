"""`self-get`: an actor that waits, with `ray.get` on its own event loop or main thread, for a call of its own.

Decisive: the thread stands in `get_objects` in both samples without a timeout, and an ObjectRef it waits for carries
the actor's own ActorID; only this very thread could run that call. Needs no hooks.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.scene import TASK_DIGITS, actor_of
from monitor.detect.thread_waits import Doing, ThreadWait, thread_wait
from monitor.detect.wait_graph import thread_key
from monitor.model.finding import Finding
from monitor.model.snapshot import ProcessState, ThreadState


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a thread that waits for its own actor."""
    found = []
    for process in case.scene.processes.values():
        for thread in process.threads:
            wait = thread_wait(thread)
            refs = _own_refs(case, process, thread, wait)
            if refs and case.graph.stuck(thread_key(process.pid, thread)):
                finding = _finding(case, process, thread, wait, refs)
                if finding is not None:
                    found.append(finding)
    return tuple(found)


def _own_refs(case: Case, process: ProcessState, thread: ThreadState, wait: ThreadWait) -> list[str]:
    """ObjectRefs of the actor's own calls that only this thread could bring."""
    if process.actor_id is None or wait.doing not in (Doing.GET, Doing.WAIT_ANY):
        return []
    loops = case.scene.loops(process)
    alone = len(loops) == 1 if thread.runs_loop else not loops and thread.name == "MainThread"
    own = [ref for ref in wait.refs if actor_of(ref) == process.actor_id]
    if wait.doing is Doing.WAIT_ANY and len(own) < len(wait.refs):
        return []
    return own if alone else []


def _finding(
    case: Case, process: ProcessState, thread: ThreadState, wait: ThreadWait, refs: list[str]
) -> Finding | None:
    key = thread_key(process.pid, thread)
    edges = case.chain_edges(lambda node: node.key == key)
    if edges is None:
        return None
    label = case.scene.label(process.pid)
    call = case.scene.calls.get(refs[0][:TASK_DIGITS])
    name = call.name if call else "a call of its own"
    what = "event loop" if thread.runs_loop else "main thread"
    links = case.links(edges)
    own = case.links(tuple(edge for edge in case.graph.outgoing[key] if refs[0][:TASK_DIGITS] in edge.waits_for)[:1])
    sentence = (
        f"{label} waits for itself: its {what} stands in {wait.doing.value} at "
        f"{place(wait.users) or 'an unknown line'} for {name}, which only that {what} could run."
    )
    evidence = [
        case.evidence(case.describe(process, thread, wait.users), wait.users),
        case.evidence(f"ObjectRef {refs[0]} carries ActorID {actor_of(refs[0])}, the process's own"),
        *([case.call_evidence(call)] if call else []),
        case.flat_cpu(process.pid),
    ]
    if thread.loop_blocked_seconds is not None:
        evidence.append(case.evidence(f"its loop has been in this callback for {thread.loop_blocked_seconds:.1f} s"))
    where = place(wait.users) or "that line"
    advice = (
        f"In {where}, `await` the call instead of `ray.get`, or call the method directly: an actor can't serve itself "
        "while it waits."
    )
    culprit = case.culprit(process, name if call else None)
    return case.finding("self-get", sentence, culprit, wait.users, links + own, tuple(evidence), advice)
