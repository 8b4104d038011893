"""Merged stacks: equal ones are counted once, what differs branches off, the odd one out is marked."""

from __future__ import annotations

from monitor.diagnose.stack_tree import TASKS, THREADS, merged
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState, RunPosition, Snapshot, ThreadState

MAIN, STEP, WAIT, SAVE = (Frame(name, f"/train/{name}.py", 7) for name in ("main", "step", "wait", "save"))


def process(pid: int, *frames: Frame, tasks: tuple[AsyncioTask, ...] = ()) -> ProcessState:
    thread = ThreadState(pid, "MainThread", True, False, tuple(reversed(frames)))
    return ProcessState(pid, 0.0, "python", "train-worker", f"W (pid {pid})", threads=(thread,), tasks=tasks)


def snapshot(*processes: ProcessState) -> Snapshot:
    return Snapshot(1.0, "here", RunPosition("r"), processes=processes)


def test_equal_stacks_of_many_processes_are_one_node_that_counts_them() -> None:
    (node,) = merged(snapshot(*(process(pid, MAIN, STEP, WAIT) for pid in range(8))), THREADS)
    assert (node.count, len(node.processes), node.frames) == (8, 8, (MAIN, STEP, WAIT))
    assert node.children == ()


def test_the_one_that_stands_elsewhere_is_an_outlier_with_its_name() -> None:
    processes = [*(process(pid, MAIN, STEP, WAIT) for pid in range(7)), process(9, MAIN, STEP, SAVE)]
    (root,) = merged(snapshot(*processes), THREADS)
    assert (root.frames, root.count) == ((MAIN, STEP), 8)
    many, odd = root.children
    assert (many.count, many.outlier, odd.count, odd.outlier, odd.processes) == (7, False, 1, True, ("W (pid 9)",))


def test_tasks_are_merged_over_processes_with_what_they_wait_on() -> None:
    tasks = tuple(AsyncioTask(f"t{number}", "l", (STEP, WAIT), "event") for number in range(64))
    (node,) = merged(snapshot(process(1, MAIN, tasks=tasks), process(2, MAIN, tasks=tasks)), TASKS)
    assert (node.count, node.ends) == (128, (("waits on event", 128),))


def test_nothing_gives_nothing() -> None:
    assert merged(snapshot(), THREADS) == ()
