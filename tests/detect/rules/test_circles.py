"""Actors in a circle and a loop that waits for itself, and near misses that are neither."""

from __future__ import annotations

from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.snapshot import Frame, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON

RESULT = (
    Frame("Condition.wait", f"{PYTHON}/threading.py", 327),
    Frame("Future.result", f"{PYTHON}/concurrent/futures/_base.py", 451),
)


def _circle(*, closed: bool) -> list[Snapshot]:
    """The rollout server waits for the train worker, which asks back, or stands in a socket."""
    ask = made.call(made.ROLLOUT, 1, "RolloutServer.generate", caller=made.TRAINER)
    there = made.call(made.TRAIN, 2, "WorkerDict.weights", caller=made.ROLLOUT)
    back = made.call(made.ROLLOUT, 3, "RolloutServer.version", state="SUBMITTED_TO_WORKER", caller=made.TRAIN)
    processes = made.head([ask])[:2]
    target = made.ref(back.task_id if closed else "8" * 48)
    processes.append(made.process(made.ROLLOUT, made.getting([made.ref(there.task_id)], made.frame("generate", 60))))
    processes.append(made.process(made.TRAIN, made.getting([target], made.frame("weights", 12, "/app/train.py"))))
    return made.pair(processes, [made.RUN, ask, there, back])


def test_actors_that_wait_for_each_other_are_a_circle() -> None:
    (finding,) = judge(_circle(closed=True)).findings
    assert finding.hang_class == "actor-cycle"
    assert {finding.line} <= {60, 12}
    assert "rollout_server_0" in finding.sentence and "worker_dict_0" in finding.sentence


def test_a_chain_that_ends_elsewhere_is_no_circle() -> None:
    assert not judge(_circle(closed=False)).findings


def _own_loop(*others: ThreadState) -> list[Snapshot]:
    loop = made.loop_in([*RESULT, made.frame("nested", 33)])
    samples = made.with_server_thread(made.loop_blocked(hooks=False), loop)
    found = []
    for sample in samples:
        server = next(process for process in sample.processes if process.pid == made.ROLLOUT)
        found += made.changed([sample], made.ROLLOUT, threads=(*server.threads, *others))
    return found


def _classes(samples: list[Snapshot]) -> list[str]:
    return [finding.hang_class for finding in judge(samples).findings]


def test_a_loop_in_the_result_of_what_only_it_could_run_waits_for_itself() -> None:
    (finding,) = judge(_own_loop()).findings
    assert (finding.hang_class, finding.line) == ("own-loop-result", 33)


def test_a_pool_thread_that_could_fill_the_future_unproves_it() -> None:
    frames = (made.frame("work", 7), Frame("_WorkItem.run", f"{PYTHON}/concurrent/futures/thread.py", 58))
    worker = ThreadState(300, "pool_0", False, False, frames, kernel_wait="sleep", kernel_wait_ends=True)
    assert not judge(_own_loop(worker)).findings


def test_a_pool_thread_that_was_there_at_the_first_sample_unproves_it() -> None:
    frames = (made.frame("work", 7), Frame("_WorkItem.run", f"{PYTHON}/concurrent/futures/thread.py", 58))
    worker = ThreadState(300, "pool_0", False, False, frames, kernel_wait="lock", kernel_wait_ends=False)
    assert "own-loop-result" not in _classes([_own_loop(worker)[0], _own_loop()[1]])


def test_an_unfinished_call_of_its_own_could_fill_the_future() -> None:
    call = made.call(made.TRAIN, 70, "WorkerDict.weights", state="SUBMITTED_TO_WORKER", caller=made.ROLLOUT)
    samples = [replace(sample, calls=(*sample.calls, call)) for sample in _own_loop()]
    assert "own-loop-result" not in _classes(samples)


def test_a_second_loop_could_fill_the_future() -> None:
    other = replace(made.idle_loop(), thread_id=150, name="AsyncIO Thread: control")
    assert "own-loop-result" not in _classes(_own_loop(other))


def test_a_signal_that_the_process_handles_could_end_the_wait() -> None:
    assert not judge(made.changed(_own_loop(), made.ROLLOUT, signal_handlers=("SIGUSR1",))).findings


def test_a_result_further_out_than_the_runs_own_line_is_not_what_it_waits_in() -> None:
    loop = made.loop_in([RESULT[0], made.frame("nested", 33), RESULT[1]])
    samples = made.with_server_thread(made.loop_blocked(hooks=False), loop)
    assert "own-loop-result" not in _classes(samples)


def test_a_circle_of_which_one_side_moved_or_was_not_read_is_no_circle() -> None:
    earlier, later = _circle(closed=True)
    (moved,) = made.changed(
        [later], made.TRAIN, threads=(made.getting([], made.frame("weights", 13, "/app/train.py")),)
    )
    (unread,) = made.changed([later], made.TRAIN, threads=(), threads_unknown="no permission")
    for sample in (moved, unread):
        assert not judge([earlier, sample]).findings
