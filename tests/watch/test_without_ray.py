"""A training without Ray under `laststep run`: watched by its hooks alone, kept in the ledger, judged by exit code.

The training is a stand-in that records, by the hooks' own recorder, what they record of TRL's; TRL itself is run in
`tests/real/test_trl.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import settings
from monitor.model.errors import ExitCode
from monitor.watch import attach as attaching
from monitor.watch.attach import SeveralRuns, attach
from tests.sources.test_hooked_run import Start, start

__all__ = ["start"]
ROOT = Path(__file__).resolve().parents[2]
TRAINING = """
import sys, time
from trainer_hooks import recorder
told, last = recorder.get(), int(sys.argv[1])
told.event("run_config", trainer="trl", experiment="tiny", started_at=time.time(), total_steps=2, validation_rows=4,
           test_freq=1)
for step in (1, 2):
    for phase in ("gen", "update_actor"):
        told.event("phase_begin", step=step, phase=phase)
        time.sleep(1.0)
        told.event("phase_end", step=step, phase=phase, seconds=1.0)
    if step <= last:
        told.event("phase_begin", step=step, phase="testing", total=4)
        told.add(f"validation_samples:{step}", 4)
        told.event("score", step=step, metric="eval_reward", value=0.25 * step)
        told.event("phase_end", step=step, phase="testing", seconds=0.1)
told.event("run_end", step=2, exit="finished")
told.flush()
"""


def _run(folder: Path, last: int) -> tuple[int, str, list[tuple[int, float]]]:
    """Exit code, what was said, and the scores in the ledger, of a training whose last evaluation is of step `last`."""
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONPATH": str(ROOT), "LASTSTEP_DIR": str(folder)}
    laststep = [sys.executable, "-m", "monitor.cli"]
    command = [*laststep, "run", "--", sys.executable, "-c", TRAINING, str(last)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    told = subprocess.run(
        [*laststep, "scores", "--json"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    (run,) = json.loads(told.stdout)["runs"]
    return done.returncode, done.stderr, [(score["step"], score["value"]) for score in run["scores"]]


def test_its_scores_are_kept_and_its_final_one_judged(tmp_path: Path) -> None:
    code, said, scores = _run(tmp_path, last=2)
    assert (code, scores) == (0, [(1, 0.25), (2, 0.5)])
    assert "tiny-" in said and "does not stand" not in said


def test_a_missing_final_evaluation_is_its_exit_code(tmp_path: Path) -> None:
    code, said, scores = _run(tmp_path, last=1)
    assert (code, scores) == (int(ExitCode.SCORES_DO_NOT_STAND), [(1, 0.25)])
    assert "missing-final" in said


def test_of_several_none_is_taken_and_each_is_named(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = {start().pid, start().pid}
    monkeypatch.setenv("LASTSTEP_DIR", str(tmp_path))
    monkeypatch.setattr(attaching, "find_cluster", _no_ray)
    with pytest.raises(SeveralRuns) as refused:
        attach(settings.load(), None, None, None)
    assert all(f"(pid {pid})" in str(refused.value) for pid in pids)
    assert "--below PID" in refused.value.HELP_TEXT
    pid = pids.pop()
    assert attach(settings.load(), None, None, None, below=pid).location.driver_pid == pid


def test_a_run_in_ray_that_is_starting_is_waited_for_and_not_passed_over(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    monkeypatch.setenv("LASTSTEP_DIR", str(tmp_path))
    monkeypatch.setattr(attaching, "find_cluster", _starting)
    with pytest.raises(attaching.RunStarting):
        attach(settings.load(), None, None, None)


def _starting(address: str | None) -> None:
    raise attaching.RunStarting("the run of job 01000000 is starting")


def _no_ray(address: str | None) -> None:
    """This machine may run Rays of other tests."""
    raise attaching.NoRay("no Ray runs here")
