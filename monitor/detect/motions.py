"""Why a process, a thread, a call or an asyncio task may still move: everything that speaks against standing still.

Pure, on a `Scene` of two snapshots. The rule of this file: what was not shown to stand still gets a reason here, so
that no proof rests on it. Thresholds are CPU time between samples, in CPUs.
"""

from __future__ import annotations

from monitor.detect.frames import is_users
from monitor.detect.graph import Motion, MotionKind
from monitor.detect.scene import QUEUED, RUNNING, SENT, Scene
from monitor.detect.thread_waits import Doing, ThreadWait, loop_timer, thread_wait
from monitor.model.snapshot import AsyncioTask, ProcessState, RayCall, ThreadState

WORKING_CPUS = 0.15
"""A process that uses more than this works. Ray's own threads in an idle worker use about 0.01."""
WORKING_THREAD_CPUS = 0.05
STOPPED = frozenset({"T", "t"})

IN_PROCESS = frozenset({"event", "lock", "condition", "queue", "future"})
"""Waits of asyncio tasks that only their own process can end."""
ON_OTHERS = frozenset({"task", "gather", "object_ref"})


def works(text: str) -> Motion:
    """It was seen to move."""
    return Motion(MotionKind.WORKS, text)


def may(text: str) -> Motion:
    """Something may come by itself."""
    return Motion(MotionKind.MAY, text)


def unseen(text: str) -> Motion:
    """It was not read."""
    return Motion(MotionKind.UNSEEN, text)


def of_process(scene: Scene, process: ProcessState) -> tuple[Motion, ...]:
    """What, apart from its Python threads and asyncio tasks, may wake something inside this process."""
    label = scene.label(process.pid)
    before = scene.before.get(process.pid)
    if before is None:
        return (unseen(f"{label} was read once only"),)
    if process.state in STOPPED or before.state in STOPPED:
        return (Motion(MotionKind.STOPPED, f"{label} is stopped by a signal (state {process.state})"),)
    found: list[Motion] = []
    rate = scene.cpu_rate(process.pid)
    if rate is not None and rate >= WORKING_CPUS:
        found.append(works(f"{label} uses {100 * rate:.0f} % of a CPU"))
    if process.threads_unknown or not process.threads or not before.threads:
        found.append(unseen(f"the threads of {label} can't be read: {process.threads_unknown or 'none were listed'}"))
    if process.descriptors_unknown or before.descriptors_unknown:
        because = process.descriptors_unknown or before.descriptors_unknown
        found.append(unseen(f"the connections of {label} can't be told: {because}"))
    if not process.state.strip("?") or not before.state.strip("?"):
        found.append(unseen(f"the kernel state of {label} is not known"))
    if process.state == "D" or before.state == "D":
        found.append(may(f"{label} waits for storage (state D)"))
    unread = [pid for pid in process.children if pid not in scene.processes]
    if unread:
        listed = ", ".join(map(str, unread[:3]))
        found.append(may(f"{label} has child processes ({listed}) that may wake it"))
    handled = process.signal_handlers or before.signal_handlers
    if handled:
        found.append(may(f"{label} handles {', '.join(handled)}, which may wake it"))
    if process.outside_connections:
        found.append(
            may(f"{label} has connections outside this cluster ({', '.join(process.outside_connections[:3])})")
        )
    if scene.blocked_loop(process) is None or len(scene.loops(before)) != 1:
        # Timers and sockets of a blocked loop come to nothing until the loop's thread goes on.
        found.extend(_of_loops(scene, process, before))
    found.extend(_of_gone_tasks(process, before))
    return tuple(found)


def _of_loops(scene: Scene, process: ProcessState, before: ProcessState) -> list[Motion]:
    label = scene.label(process.pid)
    found = []
    for loop in (*process.loops, *before.loops):
        if loop.timers:
            found.append(may(f"an event loop of {label} has timers"))
        if loop.readers:
            found.append(may(f"an event loop of {label} watches {loop.readers} file descriptors"))
    for thread in (*process.threads, *before.threads):
        if not (thread.runs_loop and thread.loop_idle):
            continue
        timer = loop_timer(thread)
        if timer is None and not any(not loop.unreadable for loop in process.loops):
            found.append(unseen(f"whether the event loop of {label} has timers can't be told"))
        elif timer:
            found.append(may(f"the event loop of {label} waits for a timer"))
    return found[:4]


def _of_gone_tasks(process: ProcessState, before: ProcessState) -> list[Motion]:
    if process.tasks is None or before.tasks is None:
        return []
    gone = {task.key for task in before.tasks} - {task.key for task in process.tasks}
    return [works(f"{len(gone)} asyncio tasks of it ended between the samples")] if gone else []


def of_thread(scene: Scene, process: ProcessState, thread: ThreadState, wait: ThreadWait) -> tuple[Motion, ...]:
    """Why this thread may move by itself. A thread that waits for another node only has none."""
    name = f"thread {thread.name} of {scene.label(process.pid)}"
    before = scene.thread_before(process, thread)
    if before is None:
        return (unseen(f"{name} was read once only"),)
    if not scene.thread_held(process, thread) or thread_wait(before).doing is not wait.doing:
        return (works(f"{name} moved between the samples"),)
    if at_work(scene, process, thread, wait):
        rate = scene.thread_cpu_rate(process, thread)
        told = f"uses {100 * rate:.0f} % of a CPU" if rate else f"runs at {_line(wait)}"
        return (works(f"{name} {told}"),)
    if wait.doing is Doing.LOCK and process.gpu_open and is_users(thread.frames[0]):
        return (may(f"{name}, at {_line(wait)}, is in C code of a process that uses a GPU: it may wait for the GPU"),)
    if wait.doing in (Doing.GET, Doing.WAIT_ANY, Doing.LOCK):
        return ()
    if wait.doing is Doing.BUSY:
        return (unseen(f"{name} stands at {_line(wait)} without CPU: what it waits for can't be told"),)
    kind = MotionKind.UNSEEN if wait.doing is Doing.UNKNOWN else MotionKind.MAY
    return (Motion(kind, f"{name}, at {_line(wait)}: {wait.text}"),)


def at_work(scene: Scene, process: ProcessState, thread: ThreadState, wait: ThreadWait) -> bool:
    """It used a CPU between the samples, by its own account or, where that is not known, by its process's.

    Where the kernel is not asked (Python 3.10), py-spy takes a thread that stands on a lock for one that runs: without
    CPU it is none.
    """
    rate = scene.thread_cpu_rate(process, thread)
    used = scene.cpu_rate(process.pid) if rate is None else rate
    if wait.doing is Doing.BUSY:
        return thread.kernel_wait == "running" or used is None or used >= WORKING_THREAD_CPUS
    return rate is not None and rate >= WORKING_THREAD_CPUS


def of_call(scene: Scene, call: RayCall) -> tuple[Motion, ...]:
    """Why this Ray call may finish, apart from what executes it."""
    if call.task_id not in scene.calls_before:
        return (works(f"{call.name} is a new call"),) if scene.earlier else (unseen(f"{call.name} was read once only"),)
    if not scene.call_held(call):
        return (works(f"{call.name} changed its state between the samples"),)
    pid = scene.executor(call)
    if call.state in RUNNING | SENT | {QUEUED}:
        actor = scene.actors.get(call.actor_id or "")
        if actor is not None and actor.state == "DEAD":
            return ()
        if pid is None or pid not in scene.processes:
            return (unseen(f"{call.name} is executed by a process that was not read"),)
        return ()
    return (unseen(f"{call.name} is {call.state}: what it waits for is not followed yet"),)


def of_task(scene: Scene, process: ProcessState, task: AsyncioTask) -> tuple[Motion, ...]:
    """Why this asyncio task may move by itself."""
    name = f"asyncio task {task.name} of {scene.label(process.pid)}"
    before = scene.before.get(process.pid)
    if before is None or before.tasks is None:
        return (unseen(f"{name} was read once only"),)
    if not scene.task_held(process, task):
        return (works(f"{name} moved between the samples"),)
    if task.waits_on in IN_PROCESS | ON_OTHERS:
        return ()
    if task.waits_on == "unknown":
        return (unseen(f"what {name} waits on can't be told"),)
    return (may(f"{name} waits on {task.waits_on}"),)


def _line(wait: ThreadWait) -> str:
    return f"{wait.users.file.rpartition('/')[2]}:{wait.users.line}" if wait.users else "no line of the run's code"
