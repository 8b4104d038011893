"""What is not called a blocked loop: everything that may end by itself, or that something else could end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.snapshot import Frame
from tests.detect import snapshots as made


@pytest.mark.parametrize("wait", ["sleep", "poll", "read", "child", "running", "other", ""])
def test_a_loop_in_a_wait_that_may_end_by_itself_is_not_called_blocked(wait: str) -> None:
    thread = made.loop_in([made.frame("compact", 91)], wait=wait, ends=None)
    samples = made.with_server_thread(made.loop_blocked(hooks=False), thread)
    assert not judge(samples).findings


def test_a_loop_on_a_lock_with_a_deadline_is_not_called_blocked() -> None:
    thread = made.loop_in([made.frame("compact", 91)], wait="lock", ends=True)
    assert not judge(made.with_server_thread(made.loop_blocked(hooks=False), thread)).findings


def test_a_loop_in_a_librarys_c_code_is_not_called_blocked() -> None:
    torch = Frame("barrier", "/env/lib/python3.11/site-packages/torch/distributed/distributed_c10d.py", 4000)
    thread = made.loop_in([torch, made.frame("_sync", 12)])
    assert not judge(made.with_server_thread(made.loop_blocked(hooks=False), thread)).findings


def test_c_code_of_a_process_that_uses_a_gpu_may_wait_for_the_gpu_and_is_not_called_blocked() -> None:
    samples = made.loop_blocked(hooks=False)
    assert judge(samples).findings
    verdict = judge(made.changed(samples, made.ROLLOUT, gpu_open=True))
    assert not verdict.findings
    assert any("GPU" in reason for reason in verdict.reasons)


def test_a_callback_that_is_not_the_same_one_is_not_called_blocked() -> None:
    earlier, later = made.loop_blocked(hooks=False)
    (young,) = made.with_server_thread([later], made.loop_in([made.frame("compact", 91)], age=0.1))
    assert not judge([earlier, young]).findings


def test_c_code_that_may_wait_for_a_process_at_work_is_not_called_blocked() -> None:
    earlier, later = made.loop_blocked(hooks=False)
    (busy,) = made.changed([later], made.TRAIN, cpu_seconds=2.9)
    assert not judge([earlier, busy]).findings


def test_a_thread_that_could_free_the_lock_unproves_the_blocked_loop() -> None:
    holder = replace(
        made.getting([], made.frame("_flush", 5), name="metrics"),
        thread_id=200,
        frames=(made.frame("_flush", 5),),
        kernel_wait="sleep",
        kernel_wait_ends=True,
    )
    samples = made.loop_blocked(hooks=False)
    server = samples[0].processes[-1]
    assert judge(samples).findings
    assert not judge(made.changed(samples, made.ROLLOUT, threads=(*server.threads, holder))).findings
