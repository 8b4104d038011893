"""Sources and inspection on a real Ray with a hung job: what is found, asked, located and read there."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from monitor.inspection.threads import read_threads
from monitor.model.fact import FactKind
from monitor.sources.call_facts import CallFacts
from monitor.sources.console import ConsoleSource
from monitor.sources.processes import process_states
from monitor.sources.ray_api import RayApi, RayForbidden, RayUnreachable
from monitor.sources.ray_discovery import find_clusters
from monitor.sources.run_locator import RunLocation, RunProcess, locate
from monitor.sources.trainer_profile import load_profile
from tests.sources.hung_ray import HungRay, hung_ray, wait_until

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ray() -> Iterator[HungRay]:
    with hung_ray() as hung:
        yield hung


def _located(ray: HungRay) -> RunLocation:
    return locate(ray.cluster, ray.api)


def _process(location: RunLocation, role: str) -> RunProcess:
    return next(process for process in location.processes if process.role == role)


def test_the_cluster_is_found_by_its_own_processes_and_its_token_stays_out_of_reprs(ray: HungRay) -> None:
    port = ray.head.address.rpartition(":")[2]
    cluster = next(found for found in find_clusters(environ={}) if found.gcs_address.endswith(f":{port}"))
    assert cluster.dashboard_url == ray.head.dashboard_url
    assert cluster.token == ray.head.token_path.read_text()
    assert cluster.token not in repr(cluster)
    assert cluster.session_dir is not None and cluster.session_dir.is_dir()
    assert cluster.node_id in {node.node_id for node in ray.api.nodes()}


def test_a_wrong_token_is_refused_without_telling_it(ray: HungRay) -> None:
    wrong = dataclasses.replace(ray.cluster, token="a-wrong-token", token_from="RAY_AUTH_TOKEN in your environment")
    with pytest.raises(RayForbidden, match="RAY_AUTH_TOKEN in your environment") as refusal:
        RayApi(wrong, timeout=10.0).jobs()
    assert "a-wrong-token" not in str(refusal.value)
    with pytest.raises(RayForbidden, match="without a token"):
        RayApi(dataclasses.replace(ray.cluster, token=None), timeout=10.0).jobs()


def test_unfinished_calls_actors_workers_and_jobs_are_told(ray: HungRay) -> None:
    calls = {call.function: call for call in ray.api.calls()}
    assert calls["RolloutServer.update_weights"].state == "RUNNING"
    assert "FINISHED" not in {call.state for call in ray.api.calls()}
    actors = {actor.class_name: actor for actor in ray.api.actors()}
    assert calls["RolloutServer.update_weights"].actor_id == actors["RolloutServer"].actor_id
    assert actors["RolloutServer"].name == "rollout_server_0"
    assert actors["RolloutServer"].pid in {worker.pid for worker in ray.api.workers()}
    assert [job.driver_pid for job in ray.api.jobs() if job.status == "RUNNING"] == [ray.driver.pid]
    assert ray.api.version().count(".") == 2
    assert ray.api.notes == {}


def test_the_run_is_located_with_its_name_log_configuration_and_processes(ray: HungRay) -> None:
    location = _located(ray)
    assert location.name.startswith("hung-test-20") and location.name.endswith("Z")
    assert location.driver_pid == ray.driver.pid
    assert location.console_log == str(ray.console)
    assert location.profile.name == "demo"
    assert location.config.total_steps == 29
    assert location.config.validation_rows == 256
    assert location.config.validation_data_dir == str(ray.folder / "validation")
    assert location.config.file_log == str(ray.folder / "logs/tests/hung-test.jsonl")
    assert {"driver", "trainer", "rollout", "agent-loop", "raylet", "gcs"} <= {p.role for p in location.processes}
    assert location.unseen == ()
    assert location.name == _located(ray).name


def test_a_loop_waiting_for_its_own_actor_is_read_from_outside(ray: HungRay) -> None:
    server = _process(_located(ray), "rollout")
    reading = read_threads(server.pid, timeout=20.0)
    assert reading.unknown == ""
    loop = next(thread for thread in reading.threads if thread.runs_loop)
    assert loop.refs_unreadable == ""
    assert [ref[16:48] for ref in loop.waiting_refs] == [server.actor_id]
    assert not loop.loop_idle
    assert loop.loop_blocked_seconds is not None and loop.loop_blocked_seconds > 0
    assert any(
        frame.function.endswith("update_weights") and frame.file.endswith("hung_driver.py") for frame in loop.frames
    )


def test_a_sleeping_call_in_a_loop_blocks_it_and_an_idle_main_thread_runs_none(ray: HungRay) -> None:
    reading = read_threads(_process(_located(ray), "agent-loop").pid, timeout=20.0)
    loop = next(thread for thread in reading.threads if thread.runs_loop)
    assert (loop.loop_idle, loop.waiting_refs, loop.kernel_wait) == (False, (), "sleep")
    assert loop.frames[0].function.endswith("generate_sequences")
    main = next(thread for thread in reading.threads if thread.name == "MainThread")
    assert not main.runs_loop


def test_every_ref_of_a_ray_wait_is_read(ray: HungRay) -> None:
    reading = read_threads(_process(_located(ray), "trainer").pid, timeout=20.0)
    main = next(thread for thread in reading.threads if thread.name == "MainThread")
    waited = {ref[:48] for ref in main.waiting_refs}
    calls = {call.task_id: call.function for call in ray.api.calls()}
    names = {calls.get(task) for task in waited}
    assert names == {"RolloutServer.update_weights", "AgentLoopWorker.generate_sequences"}


def test_a_hung_run_yields_no_fact_twice(ray: HungRay) -> None:
    profile = load_profile("demo")
    facts = CallFacts(profile)
    source = ConsoleSource(ray.console, profile)
    first = source.poll(time.time())
    assert [(fact.kind, fact.step) for fact in first if fact.moves] == [(FactKind.PHASE_BEGIN, 29)]
    for _ in range(3):
        assert source.poll(time.time()) == []
        assert facts.poll(ray.api.calls(), time.time()) == []


def test_processes_of_the_run_talk_to_nobody_outside_it(ray: HungRay) -> None:
    processes = _located(ray).processes
    states = {state.pid: state for state in process_states(processes, [process.pid for process in processes])}
    server = states[_process(_located(ray), "rollout").pid]
    assert server.outside_connections == ()
    assert server.state in "SR" and server.rss_bytes > 0
    assert abs(server.started_at - time.time()) < 600


def test_a_ray_that_dies_while_it_is_watched_is_said_to_be_unreachable() -> None:
    with hung_ray() as ray:
        locate(ray.cluster, ray.api)
        ray.head.stop()
        wait_until(lambda: ray.head.process.poll() is not None)
        with pytest.raises(RayUnreachable, match="does not answer"):
            ray.api.calls()
