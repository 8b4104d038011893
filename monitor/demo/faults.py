"""Which hang was ordered, when it is due, and the record of the moment it was in place.

The hangs themselves stand where such a hang would stand, in the functions of the rollout server, the agent loops and
the trainer. The record (`injected.json`) is for tests and benchmarks: nothing that watches reads it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

CONTROL_QUEUE = "control-queue"
SELF_GET = "self-get"
LOOP_BLOCKED = "loop-blocked"
LOST_WAKEUP = "lost-wakeup"
ENGINE_STOPPED = "engine-stopped"
SLOW = "slow"
HANG_CLASSES = (CONTROL_QUEUE, SELF_GET, LOOP_BLOCKED, LOST_WAKEUP, ENGINE_STOPPED, SLOW)
"""What can be ordered. `slow` is no hang: a validation five times longer than any before it, which moves."""

RECORD_NAME = "injected.json"
PLACE_SECONDS = 120.0


@dataclass(frozen=True)
class FaultOrder:
    """A hang for the validation of one step; `hang` None: a healthy run. Given to every actor at its creation."""

    hang: str | None = None
    step: int = 0
    record: str = ""
    chatter: bool = False
    """During the final validation: a repeated log line, a redrawn bar, a heartbeat."""

    def is_due(self, hang: str, step: int) -> bool:
        """True in the validation of the ordered step, for the ordered class."""
        return self.hang == hang and self.step == step

    def place(self) -> None:
        """Record that the fault is in place now, in this process. Written whole; the first record stays."""
        path = Path(self.record)
        if path.exists():
            return
        document = {"class": self.hang, "at": time.time(), "pid": os.getpid()}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(document) + "\n", encoding="utf-8")
        beside.replace(path)

    def wait_until_placed(self) -> None:
        """Until another process recorded the fault. Raises TimeoutError."""
        deadline = time.monotonic() + PLACE_SECONDS
        while not Path(self.record).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the fault was not in place after {PLACE_SECONDS:.0f} s")
            time.sleep(0.01)
