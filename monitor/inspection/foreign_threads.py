"""Threads of a process that run no Python, as the kernel lists them: what could wake its Python threads unseen.

py-spy and the hooks tell of Python threads only. A C thread that waits on a lock of its process without a deadline (an
idle pool of BLAS) does what others ask of it; one in any other wait may call into Python by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from monitor.inspection.kernel_waits import LOCK, kernel_wait
from monitor.model.snapshot import ThreadState

MOST_THREADS = 128
"""Threads of one process that are looked at; beyond them it is not known what they do."""
NOT_KNOWN = "not known"


def read(pid: int, python: Iterable[ThreadState]) -> tuple[str, ...]:
    """The waits of `pid`'s threads that are none of `python`, each once, those on locks without a deadline left out."""
    listed = [thread.thread_id for thread in python]
    try:
        tasks = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return (NOT_KNOWN,)
    if len(tasks) == len(listed):
        return ()
    known = {number for number in listed if number}
    if len(known) < len(listed) or len(tasks) > MOST_THREADS:
        # Where Python threads' kernel ids are not known, which threads are foreign can't be said.
        return (NOT_KNOWN,)
    found = {_wait(pid, task) for task in tasks if task not in known}
    return tuple(sorted(found - {""}))


def _wait(pid: int, thread_id: int) -> str:
    """The wait's name, empty for a lock without a deadline."""
    wait = kernel_wait(pid, thread_id)
    if wait.wait == LOCK and wait.ends is False:
        return ""
    return wait.wait or NOT_KNOWN
