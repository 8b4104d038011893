"""A Ray head of our own: comes up with its own token and ports, and leaves nothing behind, whatever ran in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from monitor.ray_head import RayHead, RayHeadFailed
from tests.head_processes import of_head

STOPPED_ACTOR = """
import os, signal, ray
ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, namespace="tests")
class Stopped:
    def pid(self):
        return os.getpid()
    def stop(self):
        os.kill(os.getpid(), signal.SIGSTOP)
actor = ray.remote(Stopped).options(name="stopped", lifetime="detached", num_cpus=0).remote()
print("actor", ray.get(actor.pid.remote()), flush=True)
actor.stop.remote()
"""


def _status(url: str, token: str | None) -> int:
    request = urllib.request.Request(
        f"{url}/api/v0/nodes", headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


KILLED_PARENT = """
import os, signal
from monitor.ray_head import RayHead
head = RayHead.start(num_cpus=1, dies_with_parent=True)
print(head.temp_dir, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _wait_for_state(pid: int, state: str) -> None:
    deadline = time.monotonic() + 60
    while psutil.Process(pid).status() != state and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.real
def test_a_head_asks_for_its_own_token_and_ends_with_a_stopped_actor_in_it() -> None:
    with RayHead.start(num_cpus=1) as head:
        assert _status(head.dashboard_url, head.token_path.read_text()) == 200
        assert _status(head.dashboard_url, None) == 401
        assert _status(head.dashboard_url, "wrong") == 403
        assert head.token_path.stat().st_mode & 0o077 == 0
        driver = subprocess.run(
            [sys.executable, "-c", STOPPED_ACTOR],
            env={**os.environ, **head.environment()},
            stdout=subprocess.PIPE,
            timeout=120,
            check=True,
        )
        actor_pid = int(driver.stdout.split(b"actor ")[1].split()[0])
        _wait_for_state(actor_pid, psutil.STATUS_STOPPED)
        assert psutil.Process(actor_pid).status() == psutil.STATUS_STOPPED
    assert not psutil.pid_exists(actor_pid)
    assert of_head(head.temp_dir) == []
    assert not head.temp_dir.exists()
    head.stop()


@pytest.mark.real
def test_a_killed_head_leaves_nothing_after_stop() -> None:
    head = RayHead.start(num_cpus=1)
    os.kill(head.pid, signal.SIGKILL)
    head.process.wait()
    head.stop()
    assert of_head(head.temp_dir) == []
    assert not head.temp_dir.exists()


@pytest.mark.real
def test_a_head_that_is_to_die_with_its_parent_does_so_even_after_kill_9() -> None:
    parent = subprocess.run([sys.executable, "-c", KILLED_PARENT], stdout=subprocess.PIPE, timeout=120, check=False)
    assert parent.returncode == -signal.SIGKILL
    temp_dir = Path(parent.stdout.decode().split()[-1])
    deadline = time.monotonic() + 60
    while of_head(temp_dir) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert of_head(temp_dir) == []
    shutil.rmtree(temp_dir)


def test_a_folder_too_long_for_rays_sockets_is_refused_with_the_cure(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    with pytest.raises(RayHeadFailed, match="characters") as refusal:
        RayHead.start(long, num_cpus=1)
    assert "/tmp" in refusal.value.HELP_TEXT
    assert list(long.iterdir()) == []


def test_the_callers_token_for_another_cluster_is_overridden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("ours")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    head = RayHead("127.0.0.1:1", "http://127.0.0.1:2", token, tmp_path, process)
    assert "RAY_AUTH_TOKEN" not in head.environment()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "theirs")
    assert head.environment()["RAY_AUTH_TOKEN"] == "ours"
