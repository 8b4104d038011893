"""The environment's lines: ports, versions, verl where needed, GPU memory, room; and the machine's, of a verl plan."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from monitor.rerun.environment_lines import PORTS_NEEDED, best_gpu, gpu_share
from monitor.rerun.facts import GpuSpace, LineState, PreflightFacts, PreflightLine
from monitor.rerun.gather import ports_free
from monitor.rerun.own_process import device
from monitor.rerun.plan import RerunPlan
from monitor.rerun.preflight import judge
from tests.rerun import examples, verl_plans
from tests.rerun.verl_plans import GIB, evaluation, facts, found

PASS, FAIL, UNKNOWN = LineState.PASS, LineState.FAIL, LineState.UNKNOWN
NEEDED = found(needs_verl="the reward is verl's own")
LARGE = {"actor/model_world_size_1_rank_0.pt": (100 * GIB, None)}


def line_of(name: str, facts: PreflightFacts, plan: RerunPlan | None = None) -> PreflightLine:
    """The one line of that name, of a verl plan."""
    (line,) = [line for line in judge(plan or verl_plans.plan(), facts) if line.name == name]
    return line


def versions(now: dict[str, str] | None, recorded: dict[str, str], **more: Any) -> PreflightFacts:
    return facts(around=examples.around(versions=now, recorded_versions=recorded), **more)


def test_a_safe_evaluation_of_a_verl_run_fails_no_line_and_every_line_has_its_own_name() -> None:
    lines = judge(verl_plans.plan(), facts())
    assert [line for line in lines if line.state is FAIL] == []
    assert len({line.name for line in lines}) == len(lines)


@pytest.mark.parametrize(
    ("free", "state"), [(PORTS_NEEDED, PASS), (PORTS_NEEDED - 1, FAIL), (0, FAIL), (None, UNKNOWN)]
)
def test_ports(free: int | None, state: LineState) -> None:
    assert line_of("ports", facts(around=examples.around(ports_free=free))).state is state
    other = examples.facts(around=examples.around(ports_free=free))
    assert line_of("ports", other, examples.plan()).state is state


def test_ports_are_tried_and_given_back() -> None:
    assert ports_free(3) == 3
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        assert ports_free(3) == 3


@pytest.mark.parametrize(
    ("package", "now", "recorded", "state"),
    [
        ("vllm", "0.32.0", "0.32.0", PASS),
        ("vllm", "0.32.0+cpu", "0.32.0", PASS),
        ("vllm", "0.32.0", "0.31.0", FAIL),
        ("verl", "0.9.1", "0.9.1", PASS),
        ("verl", "0.9.1", "0.8.0", UNKNOWN),
        ("ray", "2.60.0", "2.50.0", UNKNOWN),
    ],
)
def test_versions_are_compared_where_they_are_recorded(package: str, now: str, recorded: str, state: LineState) -> None:
    line = line_of(f"{package}-version", versions({package: now}, {package: recorded}))
    assert (line.state, line.doubt) == (state, False)


@pytest.mark.parametrize("package", ["vllm", "verl", "ray"])
@pytest.mark.parametrize("now", [None, {}, {"vllm": "1", "verl": "1", "ray": "1"}])
def test_a_version_that_nobody_recorded_is_unknown(package: str, now: dict[str, str] | None) -> None:
    assert line_of(f"{package}-version", versions(now, {})).state is UNKNOWN
    if not now:
        assert line_of(f"{package}-version", versions(now, {package: "1"})).state is UNKNOWN


def test_another_verl_whose_rewards_are_used_casts_doubt() -> None:
    assert line_of("verl-version", versions({"verl": "0.9.1"}, {"verl": "0.8.0"}, verl=NEEDED)).doubt


@pytest.mark.parametrize(
    ("now", "verl", "state"),
    [
        ({}, NEEDED, FAIL),
        ({"vllm": "0.32.0"}, NEEDED, FAIL),
        (None, NEEDED, UNKNOWN),
        ({"verl": ""}, NEEDED, PASS),
        ({}, found(), PASS),
    ],
)
def test_verl_must_be_installed_where_it_is_needed(now: dict[str, str] | None, verl: Any, state: LineState) -> None:
    line = line_of("verl", versions(now, {}, verl=verl))
    assert line.state is state
    assert state is not FAIL or "verl is not installed" in line.sentence


@pytest.mark.parametrize(
    ("spaces", "manifest", "state"),
    [
        ((GpuSpace(0, 80 * GIB, 79 * GIB),), None, PASS),
        ((GpuSpace(0, 80 * GIB, 30 * GIB),), None, FAIL),
        ((GpuSpace(0, 80 * GIB, 30 * GIB), GpuSpace(1, 80 * GIB, 79 * GIB)), None, PASS),
        ((GpuSpace(0, 40 * GIB, 40 * GIB),), LARGE, FAIL),
        ((GpuSpace(0, 80 * GIB, 80 * GIB),), LARGE, UNKNOWN),
        ((), None, UNKNOWN),
    ],
)
def test_gpu_memory_is_weighed(spaces: Any, manifest: Any, state: LineState) -> None:
    checkpoint = examples.checkpoint(manifest=manifest or examples.MANIFEST, recorded=None)
    assert line_of("gpu-memory", facts(verl=found(gpu_space=spaces), checkpoint=checkpoint)).state is state


@pytest.mark.parametrize(("share", "state"), [("0.3", PASS), ("0.9", FAIL)])
def test_the_runs_own_share_of_a_gpu_counts(share: str, state: LineState) -> None:
    plan = verl_plans.plan(verl=evaluation(engine=f"vllm?eager=true&gpu_memory_utilization={share}"))
    space = found(gpu_space=(GpuSpace(0, 80 * GIB, 30 * GIB),))
    assert line_of("gpu-memory", facts(verl=space), plan).state is state
    assert gpu_share("vllm?gpu_memory_utilization=x") == gpu_share("vllm")


@pytest.mark.parametrize(("free", "state"), [(10 * GIB, PASS), (10, FAIL), (None, UNKNOWN)])
def test_room_to_merge_the_shards(free: int | None, state: LineState) -> None:
    assert line_of("merge-space", facts(verl=found(merge_free=free))).state is state


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("memory", {"memory_free": GIB}),
        ("shared-memory", {"shared_memory_free": 10 * 1024**2}),
        ("temp-space", {"temp_free": 1024}),
        ("state-folder", {"state_free": 1024}),
        ("state-folder", {"state_writable": False, "state_error": "read-only"}),
    ],
)
def test_a_machine_without_room_refuses_a_verl_plan(name: str, changes: dict[str, Any]) -> None:
    spoiled = facts(resources=examples.resources(**changes))
    assert [line.name for line in judge(verl_plans.plan(), spoiled) if line.state is FAIL] == [name]


def test_host_memory_grows_with_the_checkpoint() -> None:
    large = facts(checkpoint=examples.checkpoint(manifest=LARGE, recorded=None))
    assert line_of("memory", facts()).state is PASS
    assert line_of("memory", large).state is FAIL


FREE = (GpuSpace(1, 80, 40), GpuSpace(3, 80, 70))


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({}, "3"),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, "1"),
        ({"CUDA_VISIBLE_DEVICES": " 1, 3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": "0"}, None),
        ({"CUDA_VISIBLE_DEVICES": "GPU-abc"}, None),
        ({"CUDA_VISIBLE_DEVICES": ""}, None),
    ],
)
def test_the_child_sees_one_free_gpu_of_those_it_was_given(environment: dict[str, str], seen: str | None) -> None:
    assert device(environment, FREE).get("CUDA_VISIBLE_DEVICES") == seen
    assert device(environment, ()) == {}


def test_the_gpu_with_most_room_is_taken() -> None:
    best = best_gpu(FREE, None)
    assert best is not None and best.index == 3
