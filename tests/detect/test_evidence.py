"""Properties over many runs: less evidence never makes another proof, and what may still move is never called hung."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detect.judge import judge
from monitor.model.reading import Unknown
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState, RayCall, Snapshot, ThreadState
from tests.detect import snapshots as made

Lose = Callable[[Snapshot, int], Snapshot]


def _process(change: Callable[[ProcessState, int], ProcessState]) -> Lose:
    def lose(sample: Snapshot, pick: int) -> Snapshot:
        pid = (
            sorted(process.pid for process in sample.processes)[pick % len(sample.processes)] if sample.processes else 0
        )
        kept = tuple(change(item, pick) if item.pid == pid else item for item in sample.processes)
        return replace(sample, processes=kept)

    return lose


def _thread(change: Callable[[ThreadState], ThreadState]) -> Lose:
    def one(process: ProcessState, pick: int) -> ProcessState:
        place = pick % len(process.threads) if process.threads else 0
        threads = (change(item) if index == place else item for index, item in enumerate(process.threads))
        return replace(process, threads=tuple(threads))

    return _process(one)


def _call(change: Callable[[RayCall], RayCall | None]) -> Lose:
    def lose(sample: Snapshot, pick: int) -> Snapshot:
        place = pick % len(sample.calls) if sample.calls else 0
        calls = [change(item) if index == place else item for index, item in enumerate(sample.calls)]
        return replace(sample, calls=tuple(item for item in calls if item is not None))

    return lose


def _one_task(process: ProcessState, pick: int) -> ProcessState:
    if not process.tasks:
        return process
    place = pick % len(process.tasks)
    tasks = [replace(item, waits_on="unknown") if i == place else item for i, item in enumerate(process.tasks)]
    return replace(process, tasks=tuple(tasks))


def _without_process(sample: Snapshot, pick: int) -> Snapshot:
    pids = sorted(process.pid for process in sample.processes)
    gone = pids[pick % len(pids)] if pids else 0
    return replace(sample, processes=tuple(item for item in sample.processes if item.pid != gone))


LOSSES: dict[str, Lose] = {
    "a process": _without_process,
    "threads": _process(lambda item, _: replace(item, threads=(), threads_unknown="no permission")),
    "tasks": _process(lambda item, _: replace(item, tasks=None, loops=(), max_concurrency=None)),
    "a task's wait": _process(_one_task),
    "a process's actor": _process(lambda item, _: replace(item, actor_id=None)),
    "a kernel state": _process(lambda item, _: replace(item, state="?")),
    "slots": _process(lambda item, _: replace(item, max_concurrency=None)),
    "a thread's kernel wait": _thread(lambda item: replace(item, kernel_wait="", kernel_wait_ends=None)),
    "a thread's locals": _thread(lambda item: replace(item, locals_repr={})),
    "a thread's refs": _thread(lambda item: replace(item, waiting_refs=(), refs_unreadable="torn read")),
    "a loop's age": _thread(lambda item: replace(item, loop_blocked_seconds=None)),
    "a call": _call(lambda _: None),
    "a call's caller": _call(lambda item: replace(item, parent_task_id=None)),
    "a call's process": _call(lambda item: replace(item, worker_pid=None)),
    "actors": lambda sample, _: replace(sample, actors=(), unknown=(Unknown("actors", 1.0, "no answer"),)),
    "calls": lambda sample, _: replace(sample, calls=(), unknown=(Unknown("calls", 1.0, "no answer"),)),
}


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(made.HANGS)),
    hooks=st.booleans(),
    losses=st.lists(
        st.tuples(st.sampled_from(sorted(LOSSES)), st.integers(0, 40), st.sampled_from(["both", "earlier", "later"])),
        max_size=5,
    ),
)
def test_less_evidence_never_proves_another_class(name: str, hooks: bool, losses: list[tuple[str, int, str]]) -> None:
    earlier, later = made.HANGS[name](hooks=hooks)
    for loss, pick, where in losses:
        earlier = LOSSES[loss](earlier, pick) if where in ("both", "earlier") else earlier
        later = LOSSES[loss](later, pick) if where in ("both", "later") else later
    findings = judge([earlier, later]).findings
    assert {finding.hang_class for finding in findings} <= {name}
    assert all(finding.culprit.pid == made.ROLLOUT for finding in findings)


def _busy(state: ProcessState) -> tuple[ProcessState, ProcessState]:
    return state, replace(state, cpu_seconds=state.cpu_seconds + 2.0)


def _moving_stack(state: ProcessState) -> tuple[ProcessState, ProcessState]:
    at = [replace(made.serving(), frames=(made.frame("decode", line),), kernel_wait="lock") for line in (5, 9)]
    return replace(state, threads=(at[0],)), replace(state, threads=(at[1],))


def _always(change: Callable[[ProcessState], ProcessState]) -> Callable[[ProcessState], tuple[ProcessState, ...]]:
    return lambda state: (change(state), change(state))


def _with_thread(wait: str, ends: bool | None, *frames: Frame) -> Callable[[ProcessState], ProcessState]:
    thread = ThreadState(
        300, "engine", False, False, frames or (made.frame("step", 7),), kernel_wait=wait, kernel_wait_ends=ends
    )
    return lambda state: replace(state, threads=(*state.threads, thread))


def _timer(state: ProcessState) -> ProcessState:
    threads = (replace(item, kernel_wait_ends=True) if item.loop_idle else item for item in state.threads)
    return replace(state, threads=tuple(threads))


def _sleeping_task(state: ProcessState) -> ProcessState:
    tasks: tuple[AsyncioTask, ...] = (*(state.tasks or ()), made.task("s", "sleep", made.frame("_tick", 3)))
    return made.hooked(state, *tasks)


MOVERS: dict[str, Callable[[ProcessState], tuple[ProcessState, ...]]] = {
    "a CPU": _busy,
    "a stack that moves": _moving_stack,
    "a timer": _always(_timer),
    "a sleeping task": _always(_sleeping_task),
    "a sleeping thread": _always(_with_thread("sleep", True)),
    "a thread on a socket": _always(_with_thread("poll", False)),
    "a thread in a library": _always(
        _with_thread("lock", False, Frame("synchronize", "/e/lib/python3.11/site-packages/torch/cuda.py", 9))
    ),
    "a thread that runs": _always(_with_thread("running", None)),
    "a thread not understood": _always(_with_thread("", None)),
    "a child": _always(lambda state: replace(state, children=(4711,))),
    "an outside socket": _always(lambda state: replace(state, outside_connections=("198.51.100.7:443",))),
    "storage": _always(lambda state: replace(state, state="D")),
    "unread threads": _always(lambda state: replace(state, threads=(), threads_unknown="no permission")),
}


@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("mover", sorted(MOVERS))
@pytest.mark.parametrize("name", ["control-queue", "lost-wakeup"])
def test_a_server_in_which_anything_may_move_is_not_called_hung(name: str, mover: str, hooks: bool) -> None:
    earlier, later = made.HANGS[name](hooks=hooks)
    first, second = MOVERS[mover](earlier.processes[-1])
    earlier = replace(earlier, processes=(*earlier.processes[:-1], first))
    later = replace(later, processes=(*later.processes[:-1], second))
    assert not judge([earlier, later]).findings


@settings(max_examples=300, deadline=None)
@given(
    depth=st.integers(1, 5),
    mover=st.sampled_from(sorted(MOVERS)),
    hooks=st.lists(st.booleans(), min_size=6, max_size=6),
    synchronous=st.lists(st.booleans(), min_size=6, max_size=6),
    queued=st.booleans(),
    fan=st.integers(1, 4),
)
def test_a_healthy_chain_of_any_shape_is_never_called_hung(
    depth: int, mover: str, hooks: list[bool], synchronous: list[bool], queued: bool, fan: int
) -> None:
    """Trainer → actor → … → an actor whose calls wait for something in it that may move, perhaps behind a queue."""
    pids = list(made.NAMES)[1:] * 2
    calls: list[RayCall] = [made.RUN]
    processes: list[ProcessState] = []
    caller, asked = made.TRAINER, []
    used: list[int] = []
    for level in range(min(depth, 4)):
        pid = pids[level]
        used.append(pid)
        own = [made.call(pid, 100 * level + number, f"Actor{pid}.work", caller=caller) for number in range(fan)]
        if queued and level == depth - 1:
            own.append(made.call(pid, 100 * level + 50, f"Actor{pid}.control", state=made.QUEUED, caller=caller))
        if asked:
            processes.append(_waiting(used[-2], asked, own, hooks=hooks[level], synchronous=synchronous[level]))
        else:
            main = made.getting([made.ref(made.RUN.task_id)], made.frame("main", 30))
            processes.append(made.process(made.DRIVER, main))
            trainer = made.getting([made.ref(item.task_id) for item in own], made.VALIDATE)
            processes.append(made.process(made.TRAINER, trainer))
        calls.extend(own)
        asked, caller = own, pid
    last = made.process(used[-1], made.serving(), made.idle_loop())
    if hooks[0]:
        frame = made.frame("serve", 12)
        tasks = [made.task(item.task_id, "future", frame, ray_task_id=item.task_id) for item in asked]
        last = made.hooked(last, *tasks)
    first, second = MOVERS[mover](last)
    idle = [made.process(pid, made.serving()) for pid in made.NAMES if pid not in (*used, made.TRAINER)]
    earlier = made.snapshot([*processes, *idle, first], calls)
    later = made.snapshot([*processes, *idle, second], calls, earlier.taken_at + 3.0)
    assert not judge([earlier, later]).findings


def _waiting(
    pid: int, executes: list[RayCall], waits_for: list[RayCall], *, hooks: bool, synchronous: bool
) -> ProcessState:
    refs = [made.ref(item.task_id) for item in waits_for]
    if synchronous:
        return made.process(pid, made.getting(refs, made.frame("work", 20)))
    state = made.process(pid, made.serving(), made.idle_loop())
    if not hooks:
        return state
    frame = made.frame("work", 21)
    return made.hooked(
        state,
        *[
            made.task(item.task_id, "object_ref", frame, object_ref=refs[index % len(refs)], ray_task_id=item.task_id)
            for index, item in enumerate(executes)
        ],
    )
