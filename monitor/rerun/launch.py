"""Starts a rerun as a detached process of its own, and cancels one. The caller may end at any time: the rerun goes on.

The job itself runs preflight at the last moment, takes the lock under its own pid, and says over a pipe whether it
began.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.errors import ExitCode, LaststepError
from monitor.rerun import claims
from monitor.rerun.environment import child_environment
from monitor.rerun.plan import RerunPlan, write_plan
from monitor.rerun.preflight import Refused

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger


class NotStarted(LaststepError):
    """The rerun's process ended before it could say that it began."""

    HELP_TEXT = "try again; the sentence quotes the end of its log"
    exit_code = ExitCode.INTERNAL


def start(plan: RerunPlan, ledger: Ledger) -> str:
    """Start the rerun and return its id once its preflight passed and it holds the lock.

    Raises `Refused` where preflight (run again by the job itself) refuses, `NotStarted`.
    """
    claims.settle(ledger)
    try:
        path = write_plan(plan)
    except FileExistsError as error:
        raise Refused(f"the output folder {plan.out_directory} exists already", "make a new plan") from error
    except OSError as error:
        raise Refused(f"can't make {plan.out_directory}: {error.strerror}", "free space or mend its rights") from error
    reader, writer = os.pipe()
    try:
        _spawn(plan, path, writer)
    finally:
        os.close(writer)
    with os.fdopen(reader, "r", encoding="utf-8") as stream:
        answer = stream.readline()
    return _began(plan, answer)


def _spawn(plan: RerunPlan, path: Path, writer: int) -> None:
    with plan.log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor.rerun.job", str(path), str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=plan.out_directory,
            env=child_environment(os.environ, plan.out_directory, by_trainer=plan.by_trainer),
            pass_fds=(writer,),
            start_new_session=True,
        )
    # Whoever started it may live on: the ended job must not stay as a zombie of theirs.
    threading.Thread(target=process.wait, name="rerun-reaper", daemon=True).start()


def _began(plan: RerunPlan, answer: str) -> str:
    """The id in the job's answer; a refused rerun leaves no folder behind."""
    if not answer:
        tail = plan.log_path.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)[-1]
        raise NotStarted(f"the rerun's process ended at once: {tail[:300] or 'it printed nothing'}")
    document = json.loads(answer)
    if "id" in document:
        return str(document["id"])
    shutil.rmtree(plan.out_directory, ignore_errors=True)
    raise Refused(str(document["refused"]), str(document.get("cure", "")))


def cancel(ledger: Ledger, identity: str) -> bool:
    """Ask a rerun that is under way to end as `cancelled`; False where it isn't under way any more."""
    row = ledger.rerun(identity)
    if row.over or not claims.alive(row):
        claims.settle(ledger)
        return False
    os.kill(row.pid, signal.SIGTERM)
    return True
