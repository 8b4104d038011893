"""Ranks in collectives that others never enter: suspicions, and a proof only where two ranks are all there are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.snapshot import Frame, ProcessState, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.rules.alone import driver, proved, suspected, thread

COMMAND = "python rank.py"
TORCH = "/env/lib/python3.11/site-packages/torch/distributed/distributed_c10d.py"
STEP, BRANCH = made.frame("step", 12, "/app/rank.py"), made.frame("step", 30, "/app/rank.py")


def _in(function: str, line: Frame = STEP, number: int = 0) -> ThreadState:
    return thread((Frame(function, TORCH, 2800), line), number=number)


def _at(line: Frame, wait: str = "lock") -> ThreadState:
    return thread((line,), wait=wait)


def _ranks(*threads: ThreadState, **fields: object) -> list[Snapshot]:
    """Ranks as children of a launcher that waits for them."""
    first = 20
    pids = tuple(range(first, first + len(threads)))
    ranks = [
        replace(
            ProcessState(pid, 10.0 + pid, COMMAND, "other", f"rank {pid - first} (pid {pid})", "S"),
            threads=(replace(item, thread_id=pid),),
            **fields,  # type: ignore[arg-type]
        )
        for pid, item in zip(pids, threads)
    ]
    launcher = driver(_at(made.frame("launch", 5), wait="child"), children=pids)
    return [replace(sample, actors=()) for sample in made.pair([launcher, *ranks], [])]


def test_the_one_of_two_ranks_that_waits_on_its_own_lock_is_proved_to_be_missing() -> None:
    (finding,) = judge(_ranks(_in("all_reduce"), _at(BRANCH))).findings
    assert (finding.hang_class, finding.culprit.pid, finding.line) == ("rank-missing", 21, BRANCH.line)


@pytest.mark.parametrize("wait", ["sleep", "read", "poll", "running", "other", ""])
def test_a_missing_rank_that_may_still_come_is_a_suspicion(wait: str) -> None:
    assert suspected(_ranks(_in("all_reduce"), _at(BRANCH, wait))) == ["rank-missing"]


def test_of_more_than_two_ranks_the_groups_are_not_known() -> None:
    assert suspected(_ranks(_in("all_reduce"), _in("all_reduce"), _at(BRANCH, "sleep"))) == ["rank-missing"]
    assert proved(_ranks(_in("all_reduce"), _in("all_reduce"), _at(BRANCH))) == []


def test_ranks_with_a_gpu_open_or_ranks_that_are_not_seen_leave_a_suspicion() -> None:
    assert suspected(_ranks(_in("all_reduce"), _at(BRANCH), gpu_open=True)) == ["rank-missing"]
    elsewhere = [replace(sample, unseen=("rank 2 on node ab12",)) for sample in _ranks(_in("barrier"), _at(BRANCH))]
    assert suspected(elsewhere) == ["rank-missing"]


def test_ranks_in_different_collectives_are_a_suspicion() -> None:
    assert suspected(_ranks(_in("all_reduce"), _in("broadcast", BRANCH))) == ["collective-desync"]
    assert suspected(_ranks(_in("all_reduce"), _in("all_reduce", BRANCH))) == ["collective-desync"]


def test_ranks_in_one_collective_at_one_line_are_nothing_odd() -> None:
    for threads in ((_in("all_reduce"), _in("all_reduce")), (_in("all_reduce"),)):
        assert not set(suspected(_ranks(*threads))) & {"collective-desync", "rank-missing"}


def test_a_rank_that_moved_or_was_read_once_tells_nothing() -> None:
    earlier, later = _ranks(_in("all_reduce"), _at(BRANCH))
    (moved,) = made.changed([later], 21, threads=(replace(_at(STEP), thread_id=21),))
    (once,) = made.changed([earlier], 21, threads=())
    for pair in ([earlier, moved], [once, later]):
        assert "rank-missing" not in (*proved(pair), *suspected(pair))


def test_a_process_of_another_program_is_no_rank() -> None:
    pair = made.changed(_ranks(_in("all_reduce"), _at(BRANCH)), 21, command="python logger.py")
    assert "rank-missing" not in (*proved(pair), *suspected(pair))


def test_a_function_of_the_run_called_all_reduce_is_no_collective() -> None:
    own = thread((made.frame("all_reduce", 3), STEP))
    assert "rank-missing" not in suspected(_ranks(own, _at(BRANCH, "sleep")))
