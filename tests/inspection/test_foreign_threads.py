"""Threads that nobody lists as Python's are told by what they wait in; what only others can wake is left out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.inspection.foreign_threads import NOT_KNOWN, read
from monitor.inspection.kernel_waits import kernel_wait
from monitor.model.snapshot import ThreadState


def _python(*without: int) -> list[ThreadState]:
    """This process's threads as a reader lists them, some left out."""
    numbers = (int(name) for name in os.listdir("/proc/self/task"))
    return [ThreadState(number, "t", False, False) for number in numbers if number not in without]


@contextmanager
def _thread(work: Callable[[threading.Event], object], wait: str) -> Iterator[int]:
    """The id of a thread at work, once it stands in that wait."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=(done,), daemon=True)
    thread.start()
    assert thread.native_id is not None
    deadline = time.monotonic() + 30.0
    while kernel_wait(os.getpid(), thread.native_id).wait != wait and time.monotonic() < deadline:
        time.sleep(0.01)
    yield thread.native_id
    done.set()
    thread.join()


def _sleeps(done: threading.Event) -> None:
    while not done.is_set():
        time.sleep(0.5)


def test_a_thread_that_sleeps_is_told_and_one_that_waits_for_good_is_not() -> None:
    with _thread(_sleeps, "sleep") as sleeping, _thread(threading.Event.wait, "lock") as waiting:
        assert read(os.getpid(), _python(sleeping, waiting)) == ("sleep",)
        assert read(os.getpid(), _python(waiting)) == ()


def test_where_all_threads_are_pythons_there_is_nothing_foreign() -> None:
    assert read(os.getpid(), _python()) == ()


def test_threads_without_a_kernel_id_leave_it_unknown() -> None:
    with _thread(threading.Event.wait, "lock"):
        unnamed = [ThreadState(0, "t", False, False)]
        assert read(os.getpid(), unnamed) == (NOT_KNOWN,)


def test_a_process_that_is_gone_is_not_known() -> None:
    assert read(2**22 - 3, ()) == (NOT_KNOWN,)
