"""Which reruns are under way, and the end of those whose process died: marked `failed`, what they left is removed.

A rerun's lock is its row with pid and start time (a reused pid has another start time). Only processes that carry the
rerun's own mark in their environment are ended.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.ledger import process_identity
from monitor.rerun.environment import RERUN_VARIABLE

if TYPE_CHECKING:
    from monitor.ledger.rows import RerunRow
    from monitor.ledger.store import Ledger

FOLDER_NOTE = "ray_folder"
"""File in the rerun's folder that names its Ray's temporary folder."""
FOLDER_PARENT = "/tmp"
"""Ray's socket paths must be short, so not the folder that TMPDIR names."""
FOLDER_PREFIX = "lsr"
END_SECONDS = 10.0


def alive(row: RerunRow) -> bool:
    """Whether the process that holds this rerun's lock lives."""
    return process_identity.alive(row.pid, row.start_ticks)


def under_way(ledger: Ledger, run: str, step: int, label: str) -> tuple[str, ...]:
    """Reruns of the same score whose process lives."""
    return tuple(
        f"{row.id} (pid {row.pid})"
        for row in ledger.reruns(run)
        if row.step == step and row.recipe == label and not row.over and alive(row)
    )


def settle(ledger: Ledger) -> None:
    """End as `failed` every rerun whose process is gone, and remove what it left running or in /tmp.

    A ledger opened for reading is left as it is.
    """
    if not ledger.writable:
        return
    for row in ledger.reruns():
        if row.over or alive(row):
            continue
        if row.directory:
            end_leftovers(row.directory)
        ledger.update_rerun(row.id, status="failed", error=died(row))


def died(row: RerunRow) -> str:
    """The sentence of a rerun whose process is gone."""
    return f"the rerun's process (pid {row.pid}) ended without a word: it was killed, or the machine went down"


def end_leftovers(out_directory: str) -> None:
    """End processes that carry this rerun's mark, and delete its Ray's temporary folder."""
    import psutil

    mark = f"{RERUN_VARIABLE}={out_directory}".encode()
    found = []
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _carries(process.pid, mark):
            try:
                process.kill()
                found.append(process)
            except psutil.Error:
                continue
    psutil.wait_procs(found, timeout=END_SECONDS)
    note = Path(out_directory) / FOLDER_NOTE
    try:
        folder = Path(note.read_text(encoding="utf-8").strip())
        ours = folder.lstat().st_uid == os.getuid()
    except OSError:
        return
    if ours and folder.name.startswith(FOLDER_PREFIX) and folder.parent == Path(FOLDER_PARENT):
        shutil.rmtree(folder, ignore_errors=True)


def _carries(pid: int, mark: bytes) -> bool:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    # A calibration's processes carry the folder below.
    return any(entry == mark or entry.startswith(mark + b"/") for entry in entries)
