"""Which processes of this machine belong to a Ray head of a test, known by the mark in their environment."""

from __future__ import annotations

from pathlib import Path

import psutil

from monitor.ray_head import MARK


def of_head(temp_dir: Path) -> list[int]:
    """Pids that carry the mark of the head whose temporary folder this is."""
    mark = f"{MARK}={temp_dir}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            if mark in Path(f"/proc/{process.pid}/environ").read_bytes():
                found.append(process.pid)
        except OSError:
            continue
    return found
