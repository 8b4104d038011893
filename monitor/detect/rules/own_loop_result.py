"""`own-loop-result`: a coroutine blocks its own event loop in `Future.result()` of what only that loop could run.

Decisive: `Future.result` of concurrent.futures is what the loop's thread stands in, the only loop of its process, in
both samples; no thread of a pool or of the run's code was at work in either that could fill the future, the process has
no unfinished Ray call whose answer could (`ObjectRef.future()`), and the graph frees nothing.
"""

from __future__ import annotations

from itertools import takewhile

from monitor.detect.case import Case
from monitor.detect.frames import is_users, place
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.detect.wait_graph import thread_key
from monitor.model.finding import Finding
from monitor.model.snapshot import ProcessState, ThreadState

_IDLE = frozenset({Doing.SERVICE, Doing.LOOP_IDLE})


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a loop that waits for itself."""
    found = []
    for process in case.scene.processes.values():
        loops = case.scene.loops(process)
        for thread in loops:
            if len(loops) == 1 and _in_result(thread) and _nobody_else(case, process, thread):
                finding = _finding(case, process, thread)
                if finding is not None:
                    found.append(finding)
    return tuple(found)


def _in_result(thread: ThreadState) -> bool:
    return not thread.loop_idle and any(
        frame.function.rpartition(".")[2] == "result" and frame.file.endswith("/concurrent/futures/_base.py")
        for frame in takewhile(lambda frame: not is_users(frame), thread.frames)
    )


def _nobody_else(case: Case, process: ProcessState, loop: ThreadState) -> bool:
    before, loop_before = case.scene.before.get(process.pid), case.scene.thread_before(process, loop)
    if before is None or loop_before is None or case.scene.calls_made.get(process.pid):
        return False
    return _alone(process, loop) and _alone(before, loop_before)


def _alone(process: ProcessState, loop: ThreadState) -> bool:
    """No other thread could fill the future: each is idle, or is the main thread that waits for the loop's thread."""
    others = [thread for thread in process.threads if thread is not loop]
    return all(thread_wait(thread).doing in _IDLE for thread in others)


def _finding(case: Case, process: ProcessState, thread: ThreadState) -> Finding | None:
    key = thread_key(process.pid, thread)
    edges = case.chain_edges(lambda node: node.key == key)
    if edges is None or not case.graph.stuck(key) or thread_wait(thread).doing is not Doing.LOCK:
        return None
    wait, label = thread_wait(thread), case.scene.label(process.pid)
    where = place(wait.users) or "an unknown line"
    sentence = (
        f"{label} waits for itself: its event loop is blocked in Future.result() at {where}, for a coroutine that only "
        "that loop could run."
    )
    evidence = (
        case.evidence(case.describe(process, thread, wait.users), wait.users),
        case.evidence(f"`Future.result` is on the thread of the only event loop of {label} {case.both}"),
        case.evidence("no other thread of it is at work: nobody else could fill the future"),
        case.flat_cpu(process.pid),
    )
    advice = f"In {where}, `await` the coroutine (or `asyncio.wrap_future`) instead of `.result()`."
    culprit = case.culprit(process, wait.users.function if wait.users else None)
    return case.finding("own-loop-result", sentence, culprit, wait.users, case.links(edges), evidence, advice)
