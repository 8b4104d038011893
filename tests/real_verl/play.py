"""Plays one real run with its faults, one after the other, each let go again; what every observer said, as JSON.

    python -m tests.real_verl.play legacy|v1 FOLDER [--quiet | --only receiver|replay]

All faults come in the last step, in the order in which the run reaches them. `--quiet`: no fault, no hooks, no watch.
`--only`: one fault that no run survives; the run is ended once everybody has looked.
The observers: a watch from the run's start, another to which the hooks' files are hidden (`blind.py`), and `laststep
dump`, a process of its own that knows nothing of before.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import real_verl
from benchmarks.real_verl import RealRun
from tests.real_verl import gates
from tests.real_verl.gates import SLOW_SECONDS
from tests.real_verl.tool_server import ToolServer

HERE = Path(__file__).resolve().parent
SAMPLES_A_STEP = 8
LAST_STEP = 2
SAVES = {"legacy": "local_global_step_folder:", "v1": "Saving checkpoint to"}
UNPROVED_SECONDS = 240.0
"""How long the watch may take to suspect a wait that it can't prove to be without end: its phase's limit, and more."""
SLOW_FROM = SAMPLES_A_STEP * LAST_STEP + 1
"""The first sample of the final validation, after those of step 0 and of the steps before the last."""
LOOKS_AT_SLOW = 3
FATAL_SECONDS = 3.0
"""From the stop of a process to its death: enough for its counterpart to wait for it."""
OVERRIDES = (
    f"actor_rollout_ref.rollout.agent.agent_loop_config_path={HERE / 'agent_loop.yaml'}",
    "actor_rollout_ref.rollout.agent.default_agent_loop=gated_agent",
    f"reward.custom_reward_function.path={HERE / 'gated_reward.py'}",
    "data.max_response_length=96",
    "actor_rollout_ref.rollout.max_num_seqs=2",
)
"""Besides the gates: generation of some seconds, so that a validation can be stopped in its middle."""


@dataclass
class Gates:
    """The gates of one run, shut from the last step's first sample on."""

    folder: Path
    locks: dict[str, int] = field(default_factory=dict)

    def shut(self, name: str) -> None:
        """Before the run."""
        path = self.folder / name
        path.write_text(str(SAMPLES_A_STEP * (LAST_STEP - 1) + 1))
        self.locks[name] = os.open(path, os.O_RDONLY)
        fcntl.flock(self.locks[name], fcntl.LOCK_EX)

    def open(self, name: str) -> None:
        """Let through who waits, and who comes."""
        (self.folder / name).unlink()
        os.close(self.locks.pop(name))

    def reached(self, name: str) -> bool:
        """Whether somebody waits there."""
        return (self.folder / f"{name}.reached").exists()


def play(trainer: str, folder: Path, quiet: bool, only: str | None = None) -> dict[str, Any]:
    """The whole run."""
    shut = folder / "gates"
    shut.mkdir(parents=True)
    doors, tool = Gates(shut), ToolServer(shut / "tool.sock")
    if not (quiet or only):
        for name in ("tool", "control", "reward"):
            doors.shut(name)
        (shut / "slow").write_text(str(SLOW_FROM))
        (shut / "save").write_text(f"global_step_{LAST_STEP}")
    seen: dict[str, Any] = {}
    variables = {gates.FOLDER_VARIABLE: str(shut), "VERL_USE_EXTERNAL_MODULES": "tests.real_verl.stopped_save"}
    try:
        with contextlib.ExitStack() as stack:
            words = (trainer, folder, not quiet, *OVERRIDES)
            run = stack.enter_context(real_verl.real_run(*words, watched=not quiet, variables=variables))
            if not quiet:
                stack.enter_context(_blind_watch(run, folder))
                seen = FATAL_FAULTS[only](run) if only else _faults(run, doors, tool)
            if only:
                run.process.terminate()
            code = run.process.wait(real_verl.START_SECONDS)
    finally:
        tool.close()
        for name in tuple(doors.locks):
            doors.open(name)
    kept = {} if quiet else {name: real_verl.scores_of(folder, name) for name in ("state", "blind")}
    return {"trainer": trainer, "exit_code": code, "faults": seen, "kept": kept}


@contextlib.contextmanager
def _blind_watch(run: RealRun, folder: Path) -> Iterator[None]:
    with (folder / "blind.log").open("wb") as log:
        watch = subprocess.Popen(
            [sys.executable, "-m", "tests.real_verl.blind", "watch", "--wait", "600"],
            env={**run.environment, "XDG_STATE_HOME": str(folder / "blind")},
            stdout=log,
            stderr=log,
            cwd=run.out,
        )
    try:
        yield
        watch.wait(60)
    finally:
        if watch.poll() is None:
            watch.terminate()
            watch.wait(60)


def _faults(run: RealRun, doors: Gates, tool: ToolServer) -> dict[str, Any]:
    seen = {}
    run.until("the tool's call", lambda: doors.reached("tool"))
    seen["tool"] = _looked_at(run, "tool-stuck")
    doors.open("tool")
    tool.answer()
    run.until("the queued call", lambda: doors.reached("control"))
    seen["control"] = _looked_at(run, "control-queue")
    doors.open("control")
    run.until("the reward function's call", lambda: doors.reached("reward"))
    seen["reward"] = _looked_at(run, "reward-stuck")
    doors.open("reward")
    run.until("the last save", lambda: doors.reached("save"))
    worker = _pid_of(run, "WorkerDict")
    with _stopped(worker):
        seen["save"] = {"stopped": worker, **_looked_at(run, worker)}
    real_verl.final_validation(run)
    worker = real_verl.engine_worker(run)
    seen["healthy"] = [_status_after(run, SLOW_SECONDS) for _ in range(LOOKS_AT_SLOW)]
    with _stopped(worker):
        seen["validation"] = {"stopped": worker, **_looked_at(run, worker)}
    return seen


def _receiver_dies(run: RealRun) -> dict[str, Any]:
    """vLLM's worker dies while it is sent weights: stopped before the sync, so that the sender has begun."""
    run.until("the first step's generation", lambda: "'validate': True, 'global_steps': 0" in run.console)
    run.until("the first step", lambda: f"step:{LAST_STEP - 1} " in run.console)
    worker, sender = real_verl.engine_worker(run), _pid_of(run, "WorkerDict")
    saves = f"{SAVES[run.trainer]} {run.out}/checkpoints/global_step_{LAST_STEP}"
    run.until("the last save", lambda: saves in run.console)
    os.kill(worker, signal.SIGSTOP)
    time.sleep(FATAL_SECONDS)
    os.kill(worker, signal.SIGKILL)
    return {"receiver": {"dead": worker, "sender": sender, **_looked_at(run, None)}}


def _samples_are_lost(run: RealRun) -> dict[str, Any]:
    """The agent loop's worker dies with the samples that V1's replay buffer waits for."""
    run.until("the first step", lambda: f"step:{LAST_STEP - 1} " in run.console)
    worker = _pid_of(run, "AgentLoopWorkerTQ")
    os.kill(worker, signal.SIGSTOP)
    time.sleep(FATAL_SECONDS)
    os.kill(worker, signal.SIGKILL)
    return {"replay": {"dead": worker, **_looked_at(run, None)}}


FATAL_FAULTS = {"receiver": _receiver_dies, "replay": _samples_are_lost}


def _status_after(run: RealRun, seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return run.laststep("status", "--json")


def _looked_at(run: RealRun, wanted: int | str | None) -> dict[str, Any]:
    """What the watch says once it has a finding (wanted: of that pid or class, else any), what the others say then.

    Without the hooks a phase's begin is often not seen, so that no limit is learned: there only a proof is waited for.
    """
    of_pid = isinstance(wanted, int)
    patience = real_verl.PROOF_SECONDS if of_pid else UNPROVED_SECONDS
    began = time.time()
    watched, seconds = _told(run, wanted, patience), time.time() - began
    blind = dataclasses.replace(run, module="tests.real_verl.blind")
    blind.environment = {**run.environment, "XDG_STATE_HOME": str(run.out.parent / "blind")}
    return {
        "seconds": round(seconds, 1),
        "watch": watched,
        "blind": _told(blind, wanted, patience if of_pid else 0.5),
        "late": run.laststep("dump", "--json"),
        "late_blind": blind.laststep("dump", "--json"),
    }


def _told(observer: RealRun, wanted: int | str | None, patience: float) -> dict[str, Any]:
    """The verdict that has such a finding, else the last one."""
    found: list[dict[str, Any]] = [{}]

    def right() -> bool:
        found[:] = observer.laststep("status", "--json").get("runs") or [{}]
        return any(
            wanted in (None, finding["culprit"]["pid"], finding["class"]) for finding in found[0].get("findings", ())
        )

    with contextlib.suppress(RuntimeError):
        observer.until("a finding", right, patience)
    return found[0]


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _pid_of(run: RealRun, title: str) -> int:
    for process in psutil.Process(run.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if title in " ".join(process.cmdline()):
                return process.pid
    raise RuntimeError(f"no process with {title} in its title was found")


def main() -> int:
    """Play, write `seen.json` into the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trainer", choices=("legacy", "v1"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--only", choices=tuple(FATAL_FAULTS))
    given = parser.parse_args()
    # A play that is ended ends its run: SIGTERM unwinds it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    seen = play(given.trainer, given.folder.resolve(), given.quiet, given.only)
    (given.folder / "seen.json").write_text(json.dumps(seen, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
