"""A hung run is rescued and stopped for real: its processes end, a second job in the same Ray goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from monitor.demo.launch import DemoRun
from monitor.sources import checkpoints
from quant.fingerprint import fingerprint_checkpoint
from tests.end_to_end.command import ROOT, Said, laststep

pytestmark = [pytest.mark.real, pytest.mark.torch]

PATIENCE = 240.0
NEIGHBOUR = """
import sys, time
import ray
ray.init(address=sys.argv[1])
@ray.remote(num_cpus=0)
class Counter:
    value = 0
    def add(self):
        self.value += 1
        return self.value
counter = Counter.remote()
while True:
    print(ray.get(counter.add.remote()), flush=True)
    time.sleep(0.2)
"""


def counted(log: Path) -> int:
    """How far the neighbour has counted."""
    numbers = [int(line) for line in log.read_text().split("\n") if line.strip().isdigit()]
    assert numbers == list(range(1, len(numbers) + 1)), "its actor began anew"
    return len(numbers)


def until(condition: object, what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"never {what}"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoRun, Path]]:
    """A run whose rollout server is stopped in its final validation, before its weights are saved; and a neighbour."""
    out = tmp_path_factory.mktemp("hung") / "out"
    hooks = {"LASTSTEP_DIR": str(out.parent / "hooks")}
    with DemoRun.start(out, steps=2, hang="engine-stopped", order="validate-first", environment=hooks) as run:
        log = out.parent / "neighbour.log"
        with log.open("wb") as said:
            neighbour = subprocess.Popen(
                [sys.executable, "-c", NEIGHBOUR, run.head.address],
                stdout=said,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **run.head.environment(), "PYTHONPATH": str(ROOT)},
            )
        try:
            until(lambda: (out / "injected.json").exists() or stopped_below(run), "hung")
            until(lambda: counted(log) > 3, "counted")
            yield run, log
        finally:
            neighbour.kill()
            neighbour.wait()


def stopped_below(run: DemoRun) -> list[psutil.Process]:
    """Stopped processes of the run's Ray."""
    below = psutil.Process(run.head.process.pid).children(recursive=True)
    return [process for process in below if process.status() == psutil.STATUS_STOPPED]


def call(run: DemoRun, *words: str) -> Said:
    """`laststep stop` of this run."""
    return laststep("stop", run.name, "--ray", run.head.address, "--json", *words)


def test_the_plan_names_driver_and_workers_and_what_is_lost_and_stops_nothing(hung: tuple[DemoRun, Path]) -> None:
    run, _log = hung
    said = call(run, "--dry-run")
    assert said.code == 0, said.stderr
    plan = said.document["plan"]
    assert plan["driver"]["pid"] == run.driver.pid
    labels = " ".join(target["label"] for target in plan["others"])
    assert all(word in labels for word in ("TaskRunner", "WorkerDict", "RolloutServer", "AgentLoopWorker"))
    assert "Counter" not in labels and "raylet" not in labels
    assert plan["lost_step"] == 2
    assert run.driver.poll() is None


def test_the_name_alone_does_not_stop_a_run_whose_newest_weights_are_not_on_disk(hung: tuple[DemoRun, Path]) -> None:
    run, _log = hung
    plan = call(run, "--dry-run").document["plan"]
    phrase = plan["run"] if plan["verdict"] == "hang" else f"stop {plan['run']}, {plan['verdict']}"
    for words in ((), ("--confirm", "yes"), ("--confirm", phrase), ("--confirm", phrase, "--lose", phrase)):
        said = call(run, *words)
        assert said.code == 2, said.stderr
        assert run.driver.poll() is None
    assert "lose the weights of step 2" in said.stderr


def test_weights_that_are_only_in_its_processes_are_saved_by_its_idle_worker(
    hung: tuple[DemoRun, Path], tmp_path: Path
) -> None:
    run, log = hung
    into = run.out.parent / "rescued"
    words = ("rescue", run.name, "--ray", run.head.address, "--into", str(into), "--json")
    said = laststep(*words, "--dry-run")
    assert said.code == 0, said.stderr
    name = said.document["plan"]["run"]
    assert laststep(*words, "--confirm", name[:-1]).code == 2
    assert not into.exists()
    before = counted(log)
    said = laststep(*words, "--confirm", name)
    assert said.code == 0, said.stderr
    saved = Path(said.document["checkpoint"])
    assert saved == into / "global_step_2"
    assert checkpoints.inspect(saved).complete
    with DemoRun.start(tmp_path / "out", steps=2, environment={"LASTSTEP_DIR": str(tmp_path / "hooks")}) as healthy:
        assert healthy.driver.wait(PATIENCE) == 0
    assert fingerprint_checkpoint(saved) == fingerprint_checkpoint(tmp_path / "out" / "checkpoints" / "global_step_2")
    assert not (run.out / "checkpoints" / "global_step_2").exists(), "it wrote into the run's own folder"
    assert run.driver.poll() is None
    assert laststep(*words, "--confirm", name).code == 13
    until(lambda: counted(log) > before + 3, "counted on")


def test_only_its_own_processes_end_and_the_neighbour_in_the_same_ray_counts_on(hung: tuple[DemoRun, Path]) -> None:
    run, log = hung
    before = counted(log)
    plan = call(run, "--dry-run").document["plan"]
    phrase = plan["run"] if plan["verdict"] == "hang" else f"stop {plan['run']}, {plan['verdict']}"
    assert stopped_below(run), "nothing hangs"
    said = call(run, "--confirm", phrase, "--lose", "lose the weights of step 2")
    assert said.code == 0, said.stderr
    assert run.driver.wait(30) is not None
    assert said.document["left"] == []
    assert Path(said.document["bundle"]).exists()
    pids = {target["pid"] for target in plan["others"]}
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert stopped_below(run) == []
    assert run.head.process.poll() is None
    until(lambda: counted(log) > before + 10, "counted on")
    assert "SIGINT" in said.document["said"][0]
    assert signal.SIGKILL.name not in " ".join(word for word in said.document["said"] if "driver" in word)
