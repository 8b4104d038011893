"""Starting and ending the demo run: a Ray head of its own and the driver in it, as children of this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from monitor.demo.config import EXPERIMENT, DemoOptions
from monitor.demo.faults import HANG_CLASSES, RECORD_NAME
from monitor.demo.own_code import source_folder
from monitor.demo.tracking import FILE_LOGGER_ROOT
from monitor.model.errors import LaststepError
from monitor.ray_head import RayHead

__all__ = ["HANG_CLASSES", "RECORD_NAME", "DemoRun"]

HEAD_CPUS = 3
"""Task runner, train worker and rollout server; agent loops ask for none."""

END_SECONDS = 10.0


@dataclass
class DemoRun:
    """A demo under way. `stop()` ends driver and Ray; the files in `out` stay."""

    out: Path
    name: str
    """The experiment's name."""
    head: RayHead
    driver: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        out: Path,
        *,
        steps: int = 29,
        seed: int = 1,
        hang: str | None = None,
        order: str = "save-first",
        hooks: bool = True,
        chatter: bool = False,
        experiment: str = EXPERIMENT,
        test_freq: int = 20,
        save_freq: int = 20,
        environment: Mapping[str, str] | None = None,
        dies_with_parent: bool = False,
    ) -> DemoRun:
        """Start it; `environment` is added to the driver's and the workers'. Raises `LaststepError`."""
        out = out.resolve()
        options = DemoOptions(out, steps, seed, order, experiment, test_freq, save_freq)
        if hang is not None and hang not in HANG_CLASSES:
            raise LaststepError(f"unknown hang `{hang}`", "hangs: " + ", ".join(HANG_CLASSES))
        if (out / "console.log").exists():
            raise LaststepError(f"{out} already holds a run", "choose another folder")
        out.mkdir(parents=True, exist_ok=True)
        head = RayHead.start(num_cpus=HEAD_CPUS, dies_with_parent=dies_with_parent)
        try:
            driver = _start_driver(options, head, _flags(hang, hooks, chatter), environment or {})
        except BaseException:
            head.stop()
            raise
        return cls(out, experiment, head, driver)

    def stop(self) -> None:
        """End the driver, then Ray and every worker, hung or stopped as they may be. Safe to call twice."""
        if self.driver.poll() is None:
            self.driver.terminate()
            try:
                self.driver.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
        self.head.stop()

    def __enter__(self) -> DemoRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _flags(hang: str | None, hooks: bool, chatter: bool) -> list[str]:
    flags = [] if hang is None else [f"--hang={hang}"]
    flags += [] if hooks else ["--no-hooks"]
    return [*flags, "--chatter"] if chatter else flags


def _start_driver(
    options: DemoOptions, head: RayHead, flags: list[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "monitor.demo.driver", f"--out={options.out}", f"--address={head.address}"]
    command += [f"--steps={options.steps}", f"--seed={options.seed}", f"--order={options.order}"]
    command += [f"--experiment={options.experiment}"]
    command += [f"--test-freq={options.test_freq}", f"--save-freq={options.save_freq}", *flags]
    path = os.pathsep.join(part for part in (str(source_folder()), os.environ.get("PYTHONPATH", "")) if part)
    ours = {
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "RAY_DEDUP_LOGS": "0",
        FILE_LOGGER_ROOT: str(options.out / "logs"),
    }
    with (options.out / "console.log").open("ab") as console:
        # Its own folder is the working directory: no folder of the caller's can shadow our packages.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            cwd=options.out,
            env={**os.environ, **head.environment(), **ours, **environment},
            start_new_session=True,
        )
