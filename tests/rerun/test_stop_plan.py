"""What a stop plan names, what it asks for, and what it says is lost; processes are children of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monitor.model.finding import Verdict, VerdictWord
from monitor.model.snapshot import RunPosition
from monitor.rerun.stop_plan import CannotStop, StopPlan, plan_stop, unsaved_step
from monitor.sources.run_processes import RunProcess

PHASES = ("gen", "update_actor", "save_checkpoint", "testing")
SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def three() -> Iterator[list[int]]:
    """Pids of a driver, of its worker and of one of Ray's own."""
    children = [subprocess.Popen(SLEEPS) for _ in range(3)]
    yield [child.pid for child in children]
    for child in children:
        child.kill()
        child.wait()


def planned(pids: list[int], word: VerdictWord = VerdictWord.HANG, **position: object) -> StopPlan:
    """A plan for them."""
    driver, worker, raylet = pids
    processes = (
        RunProcess(driver, "driver", "driver"),
        RunProcess(worker, "train-worker", "WorkerDict", actor_id="a", worker_id="w"),
        RunProcess(raylet, "raylet", "raylet"),
    )
    where = RunPosition("small-1", **{"step": 4, "phase": "testing", "newest_checkpoint_step": 4, **position})  # type: ignore[arg-type]
    return plan_stop("small-1", "01", driver, processes, (), (raylet,), where, Verdict(word), PHASES)


def test_rays_own_processes_are_no_part_of_it(three: list[int]) -> None:
    plan = planned(three)
    assert (plan.driver.pid, [target.pid for target in plan.others]) == (three[0], [three[1]])


def test_children_of_a_worker_are_part_of_it(three: list[int]) -> None:
    below = {three[1]: os.getpid(), 1: 0, three[2]: three[0]}
    processes = (RunProcess(three[0], "driver", "driver"),)
    plan = plan_stop(
        "small-1", "01", three[0], processes, (), (), RunPosition("x"), Verdict(VerdictWord.HANG), PHASES, below
    )
    assert [target.pid for target in plan.others] == [three[2]]


def test_a_driver_that_cannot_be_seen_is_refused(three: list[int]) -> None:
    with pytest.raises(CannotStop, match="can't be seen"):
        plan_stop("small-1", "01", None, (), (), (), RunPosition("x"), Verdict(VerdictWord.HANG), PHASES)


def test_a_plan_that_would_end_the_caller_is_refused(three: list[int]) -> None:
    table = {os.getpid(): three[0]}
    with pytest.raises(CannotStop, match="was started by"):
        plan_stop("a", "01", three[0], (), (), (), RunPosition("x"), Verdict(VerdictWord.HANG), PHASES, table)


def test_a_proved_hang_is_confirmed_by_the_runs_name_alone_and_anything_else_by_its_verdict_too(
    three: list[int],
) -> None:
    assert planned(three).phrase == "small-1"
    assert planned(three, VerdictWord.HEALTHY).phrase == "stop small-1, healthy"
    assert planned(three, VerdictWord.UNKNOWN).phrase == "stop small-1, unknown"


def test_weights_that_are_on_disk_need_no_second_phrase(three: list[int]) -> None:
    assert (planned(three).loss_phrase, planned(three).loss) == ("", "")


def test_weights_that_are_not_on_disk_are_named_with_what_there_is(three: list[int]) -> None:
    plan = planned(three, newest_checkpoint_step=2)
    assert plan.loss_phrase == "lose the weights of step 4"
    assert "the newest complete checkpoint is of step 2" in plan.loss
    assert "there is no complete checkpoint" in planned(three, newest_checkpoint_step=None).loss


@pytest.mark.parametrize(
    ("phase", "saved", "lost"),
    [
        ("testing", 3, 4),
        ("testing", 4, None),
        ("gen", 3, None),
        ("gen", 2, 3),
        ("update_actor", 3, None),
        (None, 3, 4),
        ("a phase nobody knows", 3, 4),
    ],
)
def test_the_weights_of_a_step_exist_once_its_update_is_over_or_where_that_cannot_be_told(
    phase: str | None, saved: int, lost: int | None
) -> None:
    position = RunPosition("x", step=4, phase=phase, newest_checkpoint_step=saved)
    assert unsaved_step(position, PHASES) == lost


def test_before_the_first_step_nothing_is_lost() -> None:
    assert unsaved_step(RunPosition("x", step=0, phase="testing"), PHASES) is None
