"""A worker that stops itself (SIGSTOP) in the last step's checkpoint save; verl imports it as an external module.

Told by the gate `save`: while its file is there the save stops, once. A save of this size takes 40 ms, too short to
be hit from outside.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

from tests.real_verl import gates

_save = FSDPCheckpointManager.save_checkpoint


def _stops_first(manager: Any, local_path: str, *given: Any, **named: Any) -> Any:
    gate = gates.gate("save")
    if gate.exists() and local_path.rstrip("/").split("/")[-2] == gate.read_text() and gates.is_first("save"):
        gate.with_suffix(".reached").touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return _save(manager, local_path, *given, **named)


FSDPCheckpointManager.save_checkpoint = _stops_first
