"""Starting a watch as a process of its own, detached from the terminal, where none runs for the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from monitor.paths import state_directory


def start_watch(arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> int:
    """Start `laststep watch ARGUMENTS` in a new session, its talk in the state directory's `watch.log`; its pid.

    It starts in the state directory, so that no folder named `monitor` or `quant` of the caller's can shadow ours.
    """
    directory = state_directory()
    log = directory / "watch.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor.cli", "watch", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    return process.pid
