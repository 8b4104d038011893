"""Which Ray is meant: none, one, several, another user's, one without a dashboard, and where its token is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.sources.ray_discovery import (
    ForeignRay,
    NoDashboard,
    NoRay,
    RayCluster,
    SeveralRays,
    find_cluster,
    find_clusters,
)
from monitor.sources.ray_processes import RayProcess, kind_of, list_ray_processes, parse_flags

MINE = os.getuid()
OTHER = MINE + 1
Listing = Callable[[], list[RayProcess]]


def _head(
    port: int = 6379, uid: int = MINE, web: int = 8265, environ: dict[str, str] | None = None
) -> list[RayProcess]:
    gcs = f"127.0.0.1:{port}"
    session = f"/tmp/ray/session_{port}"
    own = (environ or {}) if uid == MINE else {}
    return [
        RayProcess(port + 1, uid, "gcs", {"gcs-server-port": str(port), "node-ip-address": "127.0.0.1"}, own),
        RayProcess(port + 2, uid, "raylet", {"gcs-address": gcs, "session-dir": session, "node-id": "ab12"}, own),
        RayProcess(
            port + 3, uid, "dashboard", {"gcs-address": gcs, "host": "127.0.0.1", "port": str(web)}, own, (web, 44227)
        ),
    ]


def _find(processes: list[RayProcess], address: str | None = None, **environ: str) -> RayCluster:
    return find_cluster(address, lambda: processes, environ)


def test_without_any_ray_the_sentence_says_so_and_what_to_do() -> None:
    with pytest.raises(NoRay, match="no Ray runs on this machine") as refusal:
        _find([])
    assert "laststep demo" in refusal.value.HELP_TEXT
    assert refusal.value.exit_code == 3


def test_the_one_ray_of_this_user_is_taken() -> None:
    cluster = _find(_head())
    assert cluster.gcs_address == "127.0.0.1:6379"
    assert cluster.dashboard_url == "http://127.0.0.1:8265"
    assert cluster.session_dir == Path("/tmp/ray/session_6379")
    assert (cluster.raylet_pid, cluster.node_id) == (6381, "ab12")
    assert cluster.system_pids == (6380, 6381, 6382)


def test_another_users_ray_is_named_and_refused_also_by_its_address() -> None:
    for asked in (None, "127.0.0.1:6379"):
        with pytest.raises(ForeignRay, match=r"belongs to .*not to you"):
            _find(_head(uid=OTHER), asked)


def test_another_users_ray_beside_ones_own_is_left_out() -> None:
    processes = _head(7000, uid=OTHER, web=9000) + _head()
    assert [cluster.gcs_address for cluster in find_clusters(lambda: processes, {})] == ["127.0.0.1:6379"]


def test_several_rays_are_all_named_and_one_is_taken_by_its_address() -> None:
    processes = _head() + _head(7000, web=9000)
    with pytest.raises(SeveralRays, match=r"127\.0\.0\.1:6379.*127\.0\.0\.1:7000"):
        _find(processes)
    assert _find(processes, "localhost:7000").dashboard_url == "http://127.0.0.1:9000"
    assert _find(processes, RAY_ADDRESS="127.0.0.1:7000").gcs_address == "127.0.0.1:7000"
    assert _find(processes, "http://127.0.0.1:9000").gcs_address == "127.0.0.1:7000"


def test_an_address_where_no_ray_runs_is_named_with_its_origin() -> None:
    with pytest.raises(NoRay, match=r"127\.0\.0\.1:1 \(RAY_ADDRESS\)"):
        _find(_head(), RAY_ADDRESS="127.0.0.1:1")
    with pytest.raises(NoRay, match="the address given"):
        _find(_head(), "127.0.0.1:1")


def test_ray_on_another_machine_is_taken_from_its_address_alone() -> None:
    cluster = _find([], "203.0.113.9:6379", RAY_AUTH_TOKEN="t")
    assert cluster.dashboard_url == "http://203.0.113.9:8265"
    assert (cluster.session_dir, cluster.raylet_pid, cluster.token) == (None, None, "t")
    assert _find([], "203.0.113.9:6379", RAY_API_SERVER_ADDRESS="http://web:1/").dashboard_url == "http://web:1"


@pytest.mark.parametrize("missing", ["process", "port", "listening", "minimal"])
def test_ray_without_its_http_api_is_refused_with_the_cure(missing: str) -> None:
    gcs, raylet, dashboard = _head()
    flags = dict(dashboard.flags)
    if missing == "port":
        del flags["port"]
    if missing == "minimal":
        flags["minimal"] = "true"
    listening = () if missing == "listening" else dashboard.listening
    changed = RayProcess(dashboard.pid, MINE, "dashboard", flags, {}, listening)
    with pytest.raises(NoDashboard, match="without its HTTP API") as refusal:
        _find([gcs, raylet] if missing == "process" else [gcs, raylet, changed])
    assert "ray[default]" in refusal.value.HELP_TEXT


def test_a_dashboard_that_took_a_later_port_is_found_where_it_listens() -> None:
    gcs, raylet, dashboard = _head()
    moved = RayProcess(dashboard.pid, MINE, "dashboard", {**dashboard.flags, "port-retries": "50"}, {}, (8267, 44227))
    assert _find([gcs, raylet, moved]).dashboard_url == "http://127.0.0.1:8267"


def test_on_a_worker_node_the_raylet_tells_where_the_dashboard_is() -> None:
    flags = parse_flags(
        ["raylet", "--gcs-address=203.0.113.9:6379", "--python_worker_command=py --webui=127.0.0.1:8265 x"]
    )
    assert _find([RayProcess(5, MINE, "raylet", flags)]).dashboard_url == "http://203.0.113.9:8265"


def test_the_callers_token_comes_before_rays_own_and_that_before_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / ".ray"
    home.mkdir()
    (home / "auth_token").write_text("from-home\n")
    own = tmp_path / "token"
    own.write_text("from-file\n")
    ray = {"RAY_AUTH_TOKEN_PATH": str(own), "HOME": str(tmp_path)}
    assert _find(_head(environ=ray), RAY_AUTH_TOKEN="mine").token == "mine"
    assert _find(_head(environ=ray)).token == "from-file"
    assert "RAY_AUTH_TOKEN_PATH in Ray's own environment" in _find(_head(environ=ray)).token_from
    assert _find(_head(environ={"HOME": str(tmp_path)})).token == "from-home"
    assert _find(_head(environ={"HOME": str(tmp_path / "elsewhere")})).token is None


def test_a_token_file_that_cannot_be_read_is_told_and_no_token_invented(tmp_path: Path) -> None:
    cluster = _find(_head(), RAY_AUTH_TOKEN_PATH=str(tmp_path / "gone"))
    assert cluster.token is None
    assert "can't be read: No such file" in cluster.token_from


def test_only_rays_own_programs_are_taken_for_ray() -> None:
    assert kind_of(["/x/ray/core/src/ray/raylet/raylet", "--node_id=1"]) == "raylet"
    assert kind_of(["/x/ray/core/src/ray/gcs/gcs_server"]) == "gcs"
    assert kind_of(["python", "-u", "/x/site-packages/ray/dashboard/dashboard.py", "--port=1"]) == "dashboard"
    assert kind_of(["vim", "raylet"]) is None
    assert kind_of([]) is None
    assert all(process.pid != os.getpid() for process in list_ray_processes())
