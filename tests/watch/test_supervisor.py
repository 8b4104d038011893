"""A command as our descendant: its code is its own, signals reach it, orphans are still known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _supervise(code: str) -> subprocess.Popen[str]:
    """A process of its own, since it becomes a reaper and takes signals."""
    words = f"import os, sys\nfrom monitor.watch.supervisor import Supervisor\nit = Supervisor()\n{code}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", words], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_exit_code_is_the_commands(command: str, code: int) -> None:
    process = _supervise(f"it.start(['sh', '-c', {command!r}], os.environ); sys.exit(it.wait())")
    process.communicate(timeout=60)
    assert process.returncode == code


def test_a_signal_for_us_is_the_commands() -> None:
    script = "trap 'exit 33' TERM; echo ready; while :; do sleep 0.1; done"
    process = _supervise(f"it.start(['sh', '-c', {script!r}], os.environ); sys.exit(it.wait())")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 33


def test_a_process_that_left_its_shell_is_still_known() -> None:
    script = "setsid sh -c 'echo $$; exec sleep 1' & sleep 0.7"
    code = f"it.start(['sh', '-c', {script!r}], os.environ); it.wait(); print(*it.seen)"
    process = _supervise(f"{code}; sys.stdout.flush()")
    said, _ = process.communicate(timeout=60)
    orphan, seen = said.splitlines()
    assert orphan in seen.split()


def test_a_command_that_is_not_there_is_said_with_the_cure() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "run", "--no-watch", "--", "no-such-command"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "`no-such-command` can't be started" in done.stderr and "laststep run --" in done.stderr
