"""What a fault inside a real run waits on: gates that a test shuts before the run, and opens when it has seen enough.

A gate is a file in `$LASTSTEP_TEST_GATES` that holds a number: from that training sample on (the first is 1, counted in
this process), who passes waits until the file's lock, which the test holds, is given up. Validation passes every gate;
the file `slow` makes its samples slow from the one that it names on.
Standard library only: it is imported in verl's own processes.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "LASTSTEP_TEST_GATES"
SLOW_SECONDS = 5.0
_passed: Counter[str] = Counter()


def is_shut(name: str, extra_info: Any) -> bool:
    """Whether this sample has to wait at the gate; leaves a mark (`NAME.reached`) where it has."""
    if not isinstance(extra_info, dict) or extra_info.get("split") != "train":
        return False
    _passed[name] += 1
    path = gate(name)
    if not path.exists() or _passed[name] < int(path.read_text()):
        return False
    path.with_suffix(".reached").touch()
    return True


def seconds_of_slow_sample(extra_info: Any) -> float:
    """How long this validation sample's tool takes where validations are slow from a sample on; each a little more."""
    path = gate("slow")
    if not path.exists() or not isinstance(extra_info, dict) or extra_info.get("split") == "train":
        return 0.0
    _passed["slow"] += 1
    return SLOW_SECONDS * max(0, _passed["slow"] - int(path.read_text()) + 1)


def is_first(name: str) -> bool:
    """Whether this process is the first to ask so of the gate."""
    try:
        gate(f"{name}.first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def gate(name: str) -> Path:
    """The gate's file."""
    return Path(os.environ[FOLDER_VARIABLE]) / name


def wait_for_lock(name: str) -> None:
    """Wait until the test lets go of the gate: a blocking call without a deadline."""
    with gate(name).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
