"""The rerun's own Ray that ends too early: the job's waits for its driver, and a real head killed as it connects."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from monitor.ledger.store import Ledger
from monitor.ray_head import RayHead
from monitor.rerun.cancellation import Cancellation, Cancelled
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import start
from monitor.rerun.own_ray import EvaluationFailed, RayDriver
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.sources import checkpoints
from tests.rerun.leftovers import nothing_left, processes_of
from tests.rerun.run_folder import RUN, STEP, make_run

SILENT = (sys.executable, "-c", "import time; time.sleep(600)")
"""A driver that never comes out of Ray's code."""
PATIENCE = 120.0


@dataclasses.dataclass
class PlayedHead:
    """A process in a head's place."""

    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """Of no Ray."""
        return {}


@contextmanager
def driver(
    head_command: tuple[str, ...], command: tuple[str, ...], cancellation: Cancellation | None = None
) -> Iterator[RayDriver]:
    """A driver's command on a played head."""
    with subprocess.Popen(head_command) as process:
        head = cast(RayHead, PlayedHead(process))
        try:
            with RayDriver.start(head, cancellation or Cancellation(), command) as opened:
                yield opened
        finally:
            process.kill()


def says(*answers: str) -> tuple[str, ...]:
    """A driver that says so much and goes."""
    text = "".join(f"{answer}\\n" for answer in answers)
    return sys.executable, "-c", f"import os, sys; os.write(int(sys.argv[1]), b'''{text}''')"


def test_a_driver_that_hangs_while_its_head_is_gone_is_not_waited_for() -> None:
    with driver((sys.executable, "-c", ""), SILENT) as opened, pytest.raises(EvaluationFailed, match="Ray ended"):
        opened.until("connected", PATIENCE)


def test_a_driver_that_ends_without_a_word_is_told_with_its_exit_code() -> None:
    with (
        driver(SILENT, (sys.executable, "-c", "raise SystemExit(7)")) as opened,
        pytest.raises(EvaluationFailed, match="driver of the rerun's own Ray ended with 7"),
    ):
        opened.until("connected", PATIENCE)


def test_a_driver_that_never_connects_is_given_up_though_its_head_lives() -> None:
    with driver(SILENT, SILENT) as opened, pytest.raises(EvaluationFailed, match="connected within 0 s"):
        opened.until("connected", 0.0)


def test_cancelling_is_obeyed_while_the_driver_connects() -> None:
    cancellation = Cancellation()
    before = signal.getsignal(signal.SIGHUP)
    try:
        cancellation.listen()
        with driver(SILENT, SILENT, cancellation) as opened:
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(Cancelled):
                opened.until("connected", PATIENCE)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, before if number == signal.SIGHUP else signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_answers_are_taken_in_their_order_also_from_a_driver_that_is_gone() -> None:
    seen: list[Any] = []
    answers = ('{"connected": true}', '{"progress": [8, 16]}', '{"result": {"value": 1.0}}')
    with driver(SILENT, says(*answers)) as opened:
        assert opened.until("connected", PATIENCE)
        assert opened.until("result", PATIENCE, lambda *counts: seen.append(counts)) == {"value": 1.0}
    assert seen == [(8, 16)]


@pytest.mark.real
@pytest.mark.torch
@pytest.mark.parametrize("target", ["gcs_server", "raylet", "head"])
def test_a_ray_killed_while_its_driver_connects_ends_the_rerun_as_failed(own_folders: Path, target: str) -> None:
    with Ledger.open() as ledger:
        folder = own_folders / "of-the-run"
        ledger.save_run(make_run(folder))
        ledger.save_checkpoint_manifest(RUN, STEP, checkpoints.manifest(folder / "checkpoints" / f"global_step_{STEP}"))
        plan = dataclasses.replace(make_plan(ledger, RUN), engine="tests.rerun.engines:SLOW")
        identity = start(plan, ledger)
        wanted = {"head": b"ray.scripts.scripts"}.get(target, target.encode())
        until_ray_is_loaded(until(plan, b"monitor.rerun.ray_driver"))
        os.kill(until(plan, wanted), signal.SIGKILL)
        *_, last = watch_rerun(ledger, identity)
        assert last.status == "failed"
        assert "Ray" in last.error
        assert ledger.scores(RUN) == []
        assert nothing_left(plan)


def until(plan: RerunPlan, words: bytes) -> int:
    """The pid of the rerun's process with these words in its command, once there is one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for pid in sorted(processes_of(plan)):
            try:
                if words in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError(f"no process {words!r}")


def until_ray_is_loaded(pid: int) -> None:
    """Until the driver has Ray's library: it connects next."""
    deadline = time.monotonic() + PATIENCE
    while b"_raylet.so" not in Path(f"/proc/{pid}/maps").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
