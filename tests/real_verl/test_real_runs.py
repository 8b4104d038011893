"""Real verl, both trainers, with faults in the last step, seen with the hooks, without them, and attached late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.real_verl.conftest import SECONDS, Played

pytestmark = [pytest.mark.real_verl, pytest.mark.timeout(2 * SECONDS)]
TRAINERS = ("legacy", "v1")
WATCHES = ("watch", "blind")
EVERYBODY = (*WATCHES, "late", "late_blind")
Play = Callable[..., Played]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_run_trains_and_ends_well_after_all_faults(played: Play, trainer: str) -> None:
    run = played(trainer)
    norms = [record["data"]["actor/grad_norm"] for record in run.records() if "actor/grad_norm" in record["data"]]
    assert run.seen["exit_code"] == 0
    assert len(norms) == 2
    assert min(norms) > 0
    assert run.validation(0) != run.validation(2)


@pytest.mark.parametrize("observer", EVERYBODY)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_stopped_engine_in_the_final_validation_is_proved(played: Play, trainer: str, observer: str) -> None:
    fault = played(trainer).seen["faults"]["validation"]
    assert _proved(fault[observer]) == {("engine-stopped", fault["stopped"])}
    assert fault[observer]["run"]["validation"]["step"] == 2


@pytest.mark.parametrize("observer", EVERYBODY)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_hang_in_the_save_is_told_from_one_of_the_validation(played: Play, trainer: str, observer: str) -> None:
    fault = played(trainer).seen["faults"]["save"]
    assert _proved(fault[observer]) == {("process-stopped", fault["stopped"])}
    assert fault[observer]["run"]["phase"] != "testing"


@pytest.mark.parametrize(("fault", "hang_class"), [("tool", "tool-stuck"), ("reward", "reward-stuck")])
@pytest.mark.parametrize("trainer", TRAINERS)
def test_an_answer_that_never_comes_is_suspected_with_its_line_by_a_watch_that_learned_a_limit(
    played: Play, trainer: str, fault: str, hang_class: str
) -> None:
    line = {"tool": "gated_agent_loop.py", "reward": "gates.py"}[fault]
    (finding,) = played(trainer).seen["faults"][fault]["watch"]["findings"]
    assert (finding["class"], finding["proved"]) == (hang_class, False)
    assert finding["file"].endswith(line)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_control_call_behind_as_many_calls_as_there_are_slots_is_suspected_by_name(
    played: Play, trainer: str
) -> None:
    (finding,) = played(trainer).seen["faults"]["control"]["watch"]["findings"]
    assert (finding["class"], finding["proved"]) == ("control-queue", False)
    assert finding["sentence"].startswith("vLLMHttpServer.resume_generation is queued")
    assert finding["file"].endswith("vllm_async_server.py")


@pytest.mark.parametrize("observer", EVERYBODY)
@pytest.mark.parametrize("fault", ["tool", "control", "reward"])
@pytest.mark.parametrize("trainer", TRAINERS)
def test_what_may_still_move_is_never_called_a_hang(played: Play, trainer: str, fault: str, observer: str) -> None:
    assert _proved(played(trainer).seen["faults"][fault][observer]) == set()


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_final_validation_many_times_as_long_as_ever_raises_no_alarm(played: Play, trainer: str) -> None:
    looks = [look["runs"][0] for look in played(trainer).seen["faults"]["healthy"]]
    assert {look["run"]["phase"] for look in looks} == {"testing"}
    assert [look["findings"] for look in looks] == [[]] * len(looks)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_both_watches_keep_the_scores_of_the_run_s_own_metrics_file(played: Play, trainer: str) -> None:
    run = played(trainer)
    own = {
        (record["step"], name): value
        for record in run.records()
        for name, value in record["data"].items()
        if name.startswith("val-core/")
    }
    for kept in run.seen["kept"].values():
        assert {(score["step"], score["metric"]): score["value"] for score in kept["scores"]} == own


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_watched_run_validates_at_step_0_as_an_unwatched_one_and_its_folders_hold_the_same_files(
    played: Play, trainer: str
) -> None:
    watched, alone = played(trainer), played(trainer, "--quiet")
    assert watched.validation(0) == alone.validation(0)
    assert watched.files() == alone.files()


def _proved(document: dict[str, Any]) -> set[tuple[str, int]]:
    return {(item["class"], item["culprit"]["pid"]) for item in document.get("findings", ()) if item["proved"]}
