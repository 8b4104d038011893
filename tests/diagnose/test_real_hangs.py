"""Real Ray jobs that hang, captured from outside with and without hooks, and healthy ones that only look strange."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.detect.judge import judge
from monitor.diagnose.capture import Readers, capture
from monitor.inspection.access import MEMORY_CURE
from monitor.inspection.asyncio_reader import TaskReading, read_tasks
from monitor.inspection.responder import ask
from monitor.model.finding import VerdictWord
from monitor.model.reading import SourceError
from monitor.model.snapshot import RunPosition, Snapshot
from monitor.ray_head import RayHead
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster, find_cluster
from monitor.sources.run_locator import RunLocation, locate

pytestmark = pytest.mark.real

REPOSITORY = Path(__file__).resolve().parents[2]
ACTORS = "hung_actors.py"
READY_SECONDS = 60.0
GAP_SECONDS = 2.0


@pytest.fixture(scope="module")
def module_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with pytest.MonkeyPatch.context() as patch:
        # Before the head starts: workers have their environment from the raylet.
        patch.setenv("LASTSTEP_DIR", str(tmp_path_factory.mktemp("hooks")))
        with RayHead.start(num_cpus=8) as started:
            yield started


@pytest.fixture
def head(
    module_head: RayHead, own_folders: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> RayHead:
    """The head, and its hooks' folder in this test's environment too."""
    monkeypatch.setenv("LASTSTEP_DIR", str(tmp_path_factory.getbasetemp() / "hooks0"))
    for name, value in module_head.environment().items():
        monkeypatch.setenv(name, value)
    return module_head


@contextlib.contextmanager
def _job(head: RayHead, mode: str, hooks: bool, directory: Path) -> Iterator[Path]:
    told = directory / "told"
    words = [head.address, mode, str(told), "hooks" if hooks else "none", f"trainer.experiment_name={mode}"]
    with (directory / "console.log").open("wb") as console:
        driver = subprocess.Popen(
            [sys.executable, "-m", "tests.diagnose.hung_job", *words],
            cwd=REPOSITORY,
            stdout=console,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not told.exists() and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told.exists(), (directory / "console.log").read_text()
        yield directory / "console.log"
    finally:
        driver.terminate()
        driver.wait(30)


def _located(head: RayHead, mode: str, console: Path) -> tuple[RayCluster, RayApi, RunLocation]:
    cluster = find_cluster(head.address)
    api = RayApi(cluster)
    deadline = time.monotonic() + READY_SECONDS
    located = ""
    while True:
        try:
            location = locate(cluster, api)
            located = f"{location.name}: {[item.label for item in location.processes]}"
            roles = [item.role for item in location.processes]
            if location.name.startswith(f"{mode}-") and roles.count("agent-loop") == 2 and "rollout" in roles:
                return cluster, api, location
        except SourceError as error:
            located = str(error)
        assert time.monotonic() < deadline, f"the run was not located: {located}: {console.read_text()}"
        time.sleep(0.2)


def _samples(
    head: RayHead, mode: str, console: Path, *, stop: bool = False, readers: Readers | None = None
) -> list[Snapshot]:
    """Two samples of one stretch. The job is left some seconds to get to where it hangs."""
    cluster, api, location = _located(head, mode, console)
    time.sleep(2.5)
    stopped = [item.pid for item in location.processes if item.role == "rollout"] if stop else []
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        position = RunPosition(location.name, 1, 1, "testing", last_moved_at=time.time())
        earlier = capture(cluster, api, location, position, readers)
        time.sleep(GAP_SECONDS)
        return [earlier, capture(cluster, api, location, position, readers)]
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


CULPRITS = {
    "control-queue": "await self.weights.wait()",
    "self-get": "return index + ray.get(self.me.version.remote())",
    "loop-blocked": "self.guard.acquire()",
    "lost-wakeup": "return await self.replies[index]",
    "engine-stopped": "return await self.server.generate.remote(index)",
}


@pytest.mark.parametrize("hooks", [True, False], ids=["hooks", "no-hooks"])
@pytest.mark.parametrize("mode", sorted(CULPRITS))
def test_a_real_hang_is_proved_with_culprit_and_line(head: RayHead, tmp_path: Path, mode: str, hooks: bool) -> None:
    with _job(head, mode, hooks, tmp_path) as console:
        samples = _samples(head, mode, console, stop=mode == "engine-stopped")
    verdict = judge(samples)
    assert [finding.hang_class for finding in verdict.findings] == [mode], verdict
    (finding,) = verdict.findings
    assert finding.culprit.actor == "rollout_server_0"
    assert finding.file is not None and finding.file.endswith(ACTORS)
    assert Path(finding.file).read_text().splitlines()[(finding.line or 0) - 1].strip() == CULPRITS[mode]
    assert finding.chain[0].waiter.startswith("driver (pid")


def test_a_lost_wakeup_whose_memory_may_not_be_read_is_unknown_and_says_what_would_show_it(
    head: RayHead, tmp_path: Path
) -> None:
    forbidden = TaskReading(unknown=f"reading the memory is not permitted: {MEMORY_CURE}", not_permitted=True)
    readers = Readers(tasks=lambda pid, timeout: forbidden)
    with _job(head, "lost-wakeup", False, tmp_path) as console:
        verdict = judge(_samples(head, "lost-wakeup", console, readers=readers))
    assert (verdict.word, verdict.findings) == (VerdictWord.UNKNOWN, ())
    assert "hooks" in " ".join(verdict.reasons) and "ptrace_scope" in " ".join(verdict.reasons)


def test_memory_and_hooks_tell_the_same_tasks_of_rays_own_processes(head: RayHead, tmp_path: Path) -> None:
    """Names, frames through Ray's compiled coroutines, ObjectRefs and the ids of the Ray calls."""
    with _job(head, "lost-wakeup", True, tmp_path) as console:
        location = _located(head, "lost-wakeup", console)[2]
        time.sleep(2.5)
        pairs = [(ask(item.pid, timeout=20.0), read_tasks(item.pid, timeout=20.0)) for item in location.processes]
    compared, references, calls = 0, 0, 0
    for told, read in pairs:
        found = {task.key: task for task in read.tasks or ()}
        for task in told.tasks or ():
            assert found[task.key] == task
            compared += 1
            references += task.object_ref is not None
            calls += task.ray_task_id is not None
    assert compared and references and calls


@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("mode", ["timers", "training", "computing", "ticking", "asking", "child"])
def test_a_healthy_run_that_only_looks_strange_is_not_called_hung(
    head: RayHead, tmp_path: Path, mode: str, hooks: bool
) -> None:
    with _job(head, mode, hooks, tmp_path) as console:
        verdict = judge(_samples(head, mode, console))
    assert verdict.findings == ()
    assert verdict.word in (VerdictWord.HEALTHY, VerdictWord.UNKNOWN)
