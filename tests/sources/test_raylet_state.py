"""The raylet's own file tells of calls held back for memory; one that is old, cut or missing tells nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from monitor.sources.raylet_state import FRESH_SECONDS, waiting_for_memory

TEXT = "Dispatch queue length: 1\nnum_waiting_for_resource: 0\nnum_waiting_for_plasma_memory: 3\nWaitManager:\n"


def _session(folder: Path, text: str) -> Path:
    (folder / "logs").mkdir()
    (folder / "logs" / "debug_state.txt").write_text(text)
    return folder


def test_the_number_of_calls_that_wait_for_memory_is_read(tmp_path: Path) -> None:
    assert waiting_for_memory(_session(tmp_path, TEXT)) == 3


def test_a_file_that_is_no_longer_written_tells_nothing(tmp_path: Path) -> None:
    session = _session(tmp_path, TEXT)
    old = time.time() - 2 * FRESH_SECONDS
    os.utime(session / "logs" / "debug_state.txt", (old, old))
    assert waiting_for_memory(session) is None


def test_a_file_without_that_line_or_none_tells_nothing(tmp_path: Path) -> None:
    assert waiting_for_memory(_session(tmp_path, TEXT[:40])) is None
    assert waiting_for_memory(tmp_path / "nowhere") is None
    assert waiting_for_memory(None) is None
