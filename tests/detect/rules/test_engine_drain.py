"""`engine-drain`: a rollout engine waits for requests that do not end; other sleeps and other processes are not it."""

from __future__ import annotations

from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.snapshot import AsyncioTask, Frame, Snapshot
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON, frame, idle_loop, serving
from tests.detect.rules.alone import suspected

UPDATE = made.call(made.ROLLOUT, 30, "RolloutServer.update_weights", caller=made.TRAINER)
OPEN = made.call(made.ROLLOUT, 31, "RolloutServer.generate", caller=made.TRAINER)
ENGINE = "/env/lib/python3.11/site-packages/vllm/v1/engine/async_llm.py"
DRAIN = Frame("AsyncLLM.wait_for_requests_to_drain", ENGINE, 1226)


def _task(*frames: Frame) -> AsyncioTask:
    return made.task("d", "sleep", frame("update_weights", 50), *frames, ray_task_id=UPDATE.task_id)


def _samples(*frames: Frame) -> list[Snapshot]:
    """The trainer waits for a weight update; what its task in the rollout server stands in."""
    server = made.hooked(made.process(made.ROLLOUT, serving(), idle_loop()), _task(*frames))
    return made.pair([*made.head([UPDATE]), server], [made.RUN, UPDATE, OPEN])


def test_a_drain_that_goes_on_in_both_samples_is_suspected_with_its_line_and_the_open_requests() -> None:
    samples = _samples(DRAIN)
    assert suspected(samples) == ["engine-drain"]
    (suspicion,) = judge(samples).suspicions
    assert (suspicion.culprit.pid, suspicion.line) == (made.ROLLOUT, DRAIN.line)
    assert "1 × RolloutServer.generate" in suspicion.sentence


def test_a_drain_that_began_between_the_samples_is_not_suspected() -> None:
    earlier, later = _samples(DRAIN)
    other = replace(_task(DRAIN), key="e", name="Task-e")
    assert suspected([*made.changed([earlier], made.ROLLOUT, tasks=(other,)), later]) == []


def test_a_sleep_elsewhere_and_the_standard_librarys_drain_are_not_suspected() -> None:
    assert suspected(_samples(frame("load_weights", 60))) == []
    assert suspected(_samples(Frame("StreamWriter.drain", f"{PYTHON}/asyncio/streams.py", 380))) == []


def test_a_drain_of_a_process_that_is_no_engine_is_not_suspected() -> None:
    assert suspected(made.changed(_samples(DRAIN), made.ROLLOUT, role="other")) == []


def test_a_drain_that_no_chain_of_waits_comes_to_is_not_suspected() -> None:
    samples = _samples(DRAIN)
    for pid in (made.DRIVER, made.TRAINER):
        samples = made.changed(samples, pid, threads=(serving(),))
    assert suspected(samples) == []


def test_while_something_of_the_run_works_it_is_not_suspected() -> None:
    earlier, later = _samples(DRAIN)
    assert suspected([earlier, *made.changed([later], made.ROLLOUT, cpu_seconds=9.0)]) == []
