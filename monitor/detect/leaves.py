"""Where the trainer's chains of waits end when nothing is proved: at work, or at what could not be told.

Pure. Gives sentences for a verdict's reasons: what is known, what is missing, and what would show it.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitor.detect.case import TRAINER_ROLES, Case
from monitor.detect.frames import place
from monitor.detect.graph import EdgeKind, Motion, MotionKind, NodeKind
from monitor.detect.standing import is_main
from monitor.detect.thread_waits import thread_wait
from monitor.detect.wait_graph import RUN_KEY

MOST = 5
_HOOKS = "the hooks (trainer_hooks), or reading its asyncio tasks, would show what it waits for"


def healthy_reasons(case: Case) -> tuple[str, ...]:
    """What the run waits for and was seen to work; empty where nothing of that was seen."""
    return _texts(motion for motion in _ends(case) if motion.kind is MotionKind.WORKS)


def unknown_reasons(case: Case) -> tuple[str, ...]:
    """Why nothing is proved."""
    if not case.starts:
        return _no_beginning(case)
    reasons = [*_idle_loops(case), *_waiting_tasks(case), *_loops_in_c(case), *_texts(_ends(case))]
    if not reasons:
        reasons = list(_texts(_whole_run(case))) or ["no chain of waits leads from the trainer to a cause"]
    return tuple(dict.fromkeys(reasons))[:MOST]


def _no_beginning(case: Case) -> tuple[str, ...]:
    """No thread of the driver or the trainer waits in a way that can be followed: where their main threads stand."""
    processes = [process for process in case.scene.processes.values() if process.role in TRAINER_ROLES]
    threads = [(process, thread) for process in processes for thread in process.threads]
    if not threads:
        return ("neither the driver nor the trainer could be read: no chain of waits begins anywhere",)
    stands = [
        f"{case.scene.label(process.pid)} stands at {place(thread_wait(thread).users) or 'no line of its own code'}, "
        "which no chain of waits leads on from"
        for process, thread in threads
        if is_main(process, thread)
    ]
    return tuple(stands) or ("no thread of the driver or the trainer waits for anything that can be followed",)


def _ends(case: Case) -> list[Motion]:
    """Motions of what the trainer's waits come to. Objects without a record come last: most were made long ago."""
    nodes = [case.graph.nodes[key] for key in sorted(case.reached())]
    ordered = sorted(nodes, key=lambda node: node.kind is NodeKind.OBJECT)
    return [motion for node in ordered for motion in node.motions]


def _waiting_tasks(case: Case) -> list[str]:
    """Asyncio tasks at the ends of the trainer's chains that something in the run may still wake."""
    sentences = []
    for key in sorted(case.reached(frozenset({EdgeKind.INSIDE, EdgeKind.MADE}))):
        node = case.graph.nodes[key]
        woken = [edge for edge in case.graph.outgoing.get(key, ()) if edge.kind is EdgeKind.WOKEN]
        if node.kind is NodeKind.TASK and woken and not case.graph.stuck(key):
            others = ", or: ".join(_texts(_whole_run_but_objects(case))[:2])
            sentences.append(
                f"the chain of waits ends in {node.label} at the {woken[0].why}; that it is lost can't be proved while "
                f"something may still set it: {others}"
            )
    return sentences[:2]


def _loops_in_c(case: Case) -> list[str]:
    """Loops whose timers and descriptors can't be read: what waits there may still be woken through them."""
    return [
        f"what the event loop of {case.scene.label(process.pid)} watches can't be told: {loop.unreadable}"
        for process in case.scene.processes.values()
        for loop in process.loops
        if loop.unreadable
    ][:2]


def _whole_run_but_objects(case: Case) -> list[Motion]:
    nodes = case.graph.nodes.values()
    return [motion for node in nodes if node.kind is not NodeKind.OBJECT for motion in node.motions]


def _whole_run(case: Case) -> list[Motion]:
    return [motion for node in case.graph.nodes.values() for motion in node.motions]


def _idle_loops(case: Case) -> list[str]:
    """Processes whose loop is idle while their calls run, and whose asyncio tasks are not known."""
    direct = case.reached(frozenset({EdgeKind.INSIDE}))
    sentences = []
    for key in sorted(direct):
        node = case.graph.nodes[key]
        process = case.scene.processes.get(node.pid) if node.pid is not None else None
        if node.kind is not NodeKind.PROCESS or process is None or process.tasks is not None:
            continue
        if case.scene.loops(process) and not case.scene.calls_made.get(process.pid):
            missing = process.tasks_unknown or "its asyncio tasks were not read"
            sentences.append(f"the chain of waits ends at an idle event loop of {node.label}: {missing}; {_HOOKS}")
    if sentences and RUN_KEY in case.graph.moving:
        sentences.extend(_texts(case.graph.nodes[RUN_KEY].motions))
    return sentences


def _texts(motions: Iterable[Motion]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(motion.text for motion in motions))[:MOST]
