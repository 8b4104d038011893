"""What a thread stands in names a suspicion, never a proof; without its decisive evidence another one, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.judge import judge
from monitor.model.snapshot import BlockedCall, Frame, RayActor, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON
from tests.detect.rules.alone import DRIVER, driver, samples, suspected, thread

MAIN = made.frame("main", 12, "/app/main.py")
TORCH = "/env/lib/python3.11/site-packages/torch/distributed/distributed_c10d.py"


def _call(call: str, target: str) -> dict[str, object]:
    return {"blocked_calls": (BlockedCall(DRIVER, call, target),)}


def _of(function: str) -> ThreadState:
    return thread((made.frame(function, 7), MAIN), wait="other")


def _library(function: str, file: str, wait: str = "read") -> ThreadState:
    return thread((Frame(function, f"{PYTHON}/{file}", 100), MAIN), wait=wait)


BUSY = replace(thread((MAIN,), wait="running"), active=True)
CASES: dict[str, tuple[ThreadState, dict[str, object]]] = {
    "gil-held": (replace(thread((MAIN,), wait="sleep"), owns_gil=True), {}),
    "dataloader-dead": (_library("Queue.get", "multiprocessing/queues.py"), {}),
    "reward-stuck": (_of("compute_score"), {}),
    "checkpoint-stuck": (_of("save_checkpoint"), {}),
    "sync-receiver-dead": (thread((Frame("recv", TORCH, 9), made.frame("update_weights", 4)), wait="other"), {}),
    "replay-starved": (_of("_wait_for_next_poll"), {}),
    "file-lock": (thread((MAIN,), wait="other"), _call("file-lock", "/tmp/a.lock")),
    "storage-blocked": (thread((MAIN,), wait="read"), _call("read", "/data/shard")),
    "pipe-full": (thread((MAIN,), wait="write"), _call("write", "pipe:[7]")),
    "child-process": (thread((MAIN,), wait="child"), {}),
    "socket-silent": (thread((MAIN,), wait="read"), _call("read", "socket:[7]")),
    "poll-loop": (thread((made.frame("wait_until_ready", 7), MAIN), wait="sleep"), {}),
    "python-spin": (BUSY, {}),
    "slow-leaf": (thread((MAIN,), wait="sleep"), {}),
}
LESS: dict[str, tuple[ThreadState, dict[str, object]]] = {
    "gil-held": (thread((MAIN,), wait="other"), {}),
    "dataloader-dead": (_library("Queue.get", "queue.py", "other"), {}),
    "reward-stuck": (_of("compute"), {}),
    "checkpoint-stuck": (_of("load_checkpoint"), {}),
    "sync-receiver-dead": (thread((Frame("recv", TORCH, 9), MAIN), wait="other"), {}),
    "replay-starved": (_of("next_batch"), {}),
    "file-lock": (thread((MAIN,), wait="other"), _call("read", "pipe:[7]")),
    "storage-blocked": (thread((MAIN,), wait="read"), _call("read", "pipe:[7]")),
    "pipe-full": (thread((MAIN,), wait="write"), _call("write", "socket:[7]")),
    "child-process": (thread((MAIN,), wait="other"), {}),
    "socket-silent": (thread((MAIN,), wait="read"), {}),
    "poll-loop": (thread((made.frame("warm_up", 7), MAIN), wait="other"), {}),
    "python-spin": (BUSY, {"gpu_open": True}),
    "slow-leaf": (thread((MAIN,), wait="poll"), {}),
}


def _pair(case: tuple[ThreadState, dict[str, object]]) -> list[Snapshot]:
    return samples(driver(case[0], **case[1]))


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_standing_thread_is_suspected_by_what_it_stands_in(name: str) -> None:
    assert suspected(_pair(CASES[name])) == [name]


@pytest.mark.parametrize("name", sorted(LESS))
def test_without_its_decisive_evidence_it_is_not_suspected(name: str) -> None:
    assert suspected(_pair(LESS[name])) == []


@pytest.mark.parametrize(("below", "found"), [("async_send_weights", ["sync-receiver-dead"]), ("publish", [])])
def test_a_send_of_zeromq_that_finds_no_peer_is_the_weight_sync_s_only_below_its_functions(
    below: str, found: list[str]
) -> None:
    sending = Frame("Socket.send", "/env/lib/python3.11/site-packages/zmq/sugar/socket.py", 698)
    assert suspected(samples(driver(thread((sending, made.frame(below, 195), MAIN), wait="poll")))) == found


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_thread_that_moved_to_another_function_is_not_suspected(name: str) -> None:
    earlier, later = _pair(CASES[name])
    moved = replace(CASES[name][0], frames=(made.frame("elsewhere", 90),))
    assert suspected([earlier, *made.changed([later], DRIVER, threads=(moved,))]) == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_thread_that_was_not_read_at_one_sample_is_not_suspected(name: str) -> None:
    earlier, later = _pair(CASES[name])
    unread = made.changed([earlier], DRIVER, threads=(), threads_unknown="no permission")
    assert suspected([*unread, later]) == []


RAYS_WORDS = "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"


@pytest.mark.parametrize(
    ("earlier_state", "cause", "named"),
    [("DEAD", RAYS_WORDS, True), ("ALIVE", RAYS_WORDS, False), ("DEAD", "ray.kill was called", False)],
)
def test_samples_that_do_not_come_are_put_down_to_an_actor_whose_process_died_of_itself(
    earlier_state: str, cause: str, named: bool
) -> None:
    dead = RayActor("a1", "AgentLoopWorkerTQ", "agent_loop_0", "DEAD", 4711, death_cause=cause)
    earlier, later = _pair(CASES["replay-starved"])
    pair = [replace(earlier, actors=(replace(dead, state=earlier_state),)), replace(later, actors=(dead,))]
    (finding,) = judge(pair).suspicions
    assert (finding.culprit.pid == 4711) is named
    assert ("AgentLoopWorkerTQ (pid 4711) of this run is dead" in finding.sentence) is named
