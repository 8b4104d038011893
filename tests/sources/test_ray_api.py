"""Ray's HTTP API, also where it refuses, fails, drips or is not Ray's: one clear error each, partial answers kept."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler

import pytest

from monitor.sources.ray_api import RayApi, RayForbidden, RayUnreachable
from monitor.sources.ray_discovery import NoDashboard, RayCluster
from tests.sources.http_stub import dashboard, listing, send

CALL = {
    "task_id": "31" * 24,
    "name": "S.generate",
    "state": "RUNNING",
    "job_id": "01000000",
    "actor_id": "a0" * 16,
    "type": "ACTOR_TASK",
    "func_or_class_name": "S.generate",
    "worker_pid": 10543,
    "required_resources": {"CPU": 1.0},
    "events": [{"state": "SUBMITTED_TO_WORKER", "created_ms": 1000.0}, {"state": "RUNNING", "created_ms": 2000.0}],
    "creation_time_ms": 1000.0,
    "start_time_ms": 2000.0,
}


def test_only_unfinished_calls_are_asked_for_and_given_in_seconds() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        assert handler.headers["Authorization"] == "Bearer t"
        send(handler, 200, listing([CALL, {**CALL, "task_id": "32" * 24, "state": "FAILED"}]))

    with dashboard(answer) as cluster:
        (call,) = RayApi(cluster).calls()
    assert "filter_values=FINISHED" in asked[0] and "filter_predicates=!%3D" in asked[0]
    assert (call.function, call.worker_pid, call.kind) == ("S.generate", 10543, "ACTOR_TASK")
    assert (call.submitted_at, call.began_at, call.state_since) == (1.0, 2.0, 2.0)


def test_a_request_names_its_program_since_old_dashboards_fail_without_and_take_browsers_for_less() -> None:
    named: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        named.append(handler.headers["User-Agent"] or "")
        send(handler, 200, listing([]))

    with dashboard(answer) as cluster:
        RayApi(cluster).actors()
    assert named == ["laststep"]


def test_a_queued_call_has_no_worker_and_no_begin() -> None:
    queued = {**CALL, "worker_pid": None, "start_time_ms": None, "state": "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"}
    with dashboard(lambda handler: send(handler, 200, listing([queued]))) as cluster:
        (call,) = RayApi(cluster).calls()
    assert (call.worker_pid, call.began_at) == (None, None)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_where_the_token_came_from(status: int) -> None:
    with (
        dashboard(lambda handler: send(handler, status, b"nope"), token="secret-token") as cluster,
        pytest.raises(RayForbidden, match=f"the token from the test.*{status}") as refusal,
    ):
        RayApi(cluster).jobs()
    assert "secret-token" not in str(refusal.value)


def test_a_server_without_a_state_api_is_no_dashboard() -> None:
    with dashboard(lambda handler: send(handler, 404, b"")) as cluster, pytest.raises(NoDashboard, match="404"):
        RayApi(cluster).actors()


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[1]", b'{"result": false, "msg": "GCS is down"}', b'{"result": true, "data": {}}']
)
def test_an_answer_that_is_none_is_said_to_be(body: bytes) -> None:
    with dashboard(lambda handler: send(handler, 200, body)) as cluster, pytest.raises(RayUnreachable):
        RayApi(cluster).workers()


def test_a_failing_server_is_quoted() -> None:
    body = b'{"result": false, "msg": "GCS is down"}'
    with (
        dashboard(lambda handler: send(handler, 500, body)) as cluster,
        pytest.raises(RayUnreachable, match="GCS is down"),
    ):
        RayApi(cluster).workers()


def test_no_server_at_all_is_unreachable() -> None:
    with pytest.raises(RayUnreachable, match="does not answer"):
        RayApi(RayCluster("127.0.0.1:6379", "http://127.0.0.1:9", None)).nodes()


def test_a_server_that_drips_a_byte_at_a_time_is_left_at_the_deadline() -> None:
    released = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not released.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    with dashboard(drip) as cluster, pytest.raises(RayUnreachable, match=r"no full answer within 0\.3 s"):
        RayApi(cluster, timeout=0.3).nodes()
    released.set()


def test_a_partial_answer_is_kept_and_noted() -> None:
    body = listing([CALL, {"name": "no id"}], total=5, partial_failure_warning="1 raylet did not answer")
    with dashboard(lambda handler: send(handler, 200, body)) as cluster:
        api = RayApi(cluster)
        assert len(api.calls()) == 1
        assert "1 raylet did not answer" in api.notes["tasks"]
        assert "only 2 of 5 tasks seen" in api.notes["tasks"]
        assert "1 records of tasks not understood" in api.notes["tasks"]


def test_records_of_jobs_actors_nodes_and_workers_are_read() -> None:
    job = {"job_id": "01000000", "driver_info": {"pid": "10450"}, "status": "RUNNING", "start_time": 5000}
    with dashboard(lambda handler: send(handler, 200, listing([job]))) as cluster:
        (read,) = RayApi(cluster).jobs()
    assert (read.driver_pid, read.started_at) == (10450, 5.0)
    actor = {
        "actor_id": "a0",
        "class_name": "S",
        "state": "DEAD",
        "pid": 0,
        "death_cause": {"actor_died_error_context": {"error_message": "The actor died\nbecause"}},
    }
    with dashboard(lambda handler: send(handler, 200, listing([actor]))) as cluster:
        (dead,) = RayApi(cluster).actors()
    assert (dead.pid, dead.death_cause) == (None, "actor_died_error_context: The actor died because")
    worker = {"worker_id": "w", "pid": 7, "node_id": "n", "worker_type": "DRIVER", "is_alive": True}
    gone = {**worker, "is_alive": False}
    with dashboard(lambda handler: send(handler, 200, listing([worker, gone]))) as cluster:
        assert [found.pid for found in RayApi(cluster).workers()] == [7]
    node = {
        "node_id": "n",
        "node_ip": "10.0.0.1",
        "state": "ALIVE",
        "is_head_node": True,
        "resources_total": {"CPU": 4},
    }
    with dashboard(lambda handler: send(handler, 200, listing([node]))) as cluster:
        (head,) = RayApi(cluster).nodes()
    assert (head.alive, head.is_head, head.resources) == (True, True, {"CPU": 4.0})
