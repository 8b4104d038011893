"""The kernel's word for a wait, on both machines; what it doesn't say stays unknown."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import pytest

from monitor.inspection.kernel_waits import KernelWait, kernel_wait, parse

ADDRESSES = "0x7ffd 0x7f01"


@pytest.mark.parametrize(
    ("machine", "text", "expected"),
    [
        ("x86_64", "running", ("running", None)),
        ("x86_64", f"202 0x7f 0x189 0x0 0x0 0x0 0xffffffff {ADDRESSES}", ("lock", False)),
        ("x86_64", f"202 0x7f 0x189 0x0 0x7ffc 0x0 0xffffffff {ADDRESSES}", ("lock", True)),
        ("x86_64", f"202 0x7f 0x109 0x0 0x0 0x0 0xffffffff {ADDRESSES}", ("other", False)),
        ("x86_64", f"230 0x1 0x1 0x7f 0x0 0x0 0x0 {ADDRESSES}", ("sleep", True)),
        ("x86_64", f"23 0x0 0x0 0x0 0x0 0x7ffc 0x0 {ADDRESSES}", ("sleep", True)),
        ("x86_64", f"23 0x5 0x7f 0x0 0x0 0x0 0x0 {ADDRESSES}", ("poll", False)),
        ("x86_64", f"232 0x3 0x7f 0x1 0xffffffff 0x0 0x0 {ADDRESSES}", ("poll", False)),
        ("x86_64", f"232 0x3 0x7f 0x1 0xffffffffffffffff 0x0 0x0 {ADDRESSES}", ("poll", False)),
        ("x86_64", f"232 0x3 0x7f 0x1 0x3e8 0x0 0x0 {ADDRESSES}", ("poll", True)),
        ("x86_64", f"45 0x3 0x7f 0x1 0x0 0x0 0x0 {ADDRESSES}", ("read", None)),
        ("x86_64", f"61 0xffffffff 0x7f 0x0 0x0 0x0 0x0 {ADDRESSES}", ("child", None)),
        ("x86_64", f"999 0x0 0x0 0x0 0x0 0x0 0x0 {ADDRESSES}", ("other", None)),
        ("x86_64", f"-1 {ADDRESSES}", ("other", None)),
        ("aarch64", f"98 0x7f 0x189 0x0 0x0 0x0 0xffffffff {ADDRESSES}", ("lock", False)),
        ("aarch64", f"22 0x3 0x7f 0x1 0xffffffff 0x0 0x0 {ADDRESSES}", ("poll", False)),
        ("aarch64", f"115 0x1 0x1 0x7f 0x0 0x0 0x0 {ADDRESSES}", ("sleep", True)),
        ("riscv64", f"98 0x7f 0x189 0x0 0x0 0x0 0x0 {ADDRESSES}", ("", None)),
        ("x86_64", "", ("", None)),
    ],
)
def test_a_system_call_is_told_with_its_deadline(machine: str, text: str, expected: tuple[str, bool | None]) -> None:
    assert parse(text, machine) == expected


def test_a_thread_has_its_own_time_and_one_that_is_gone_has_none() -> None:
    seconds = kernel_wait(os.getpid(), threading.get_native_id()).cpu_seconds
    assert seconds is not None and seconds > 0
    gone = kernel_wait(os.getpid(), 2**22 - 3)
    assert (gone.wait, gone.ends, gone.cpu_seconds) == ("", None, None)


def test_two_threads_on_one_lock_have_its_address_in_common_and_a_lock_shared_by_processes_has_none() -> None:
    one, other, shared = threading.Lock(), threading.Lock(), multiprocessing.get_context("spawn").Lock()
    for lock in (one, other, shared):
        lock.acquire()
    waiting = [threading.Thread(target=lock.acquire, daemon=True) for lock in (one, one, other, shared)]
    for thread in waiting:
        thread.start()
    try:
        found = [_standing(thread) for thread in waiting]
    finally:
        for lock in (one, one, other, shared):
            lock.release()
            time.sleep(0.05)
    assert [wait.wait for wait in found] == ["lock", "lock", "lock", "other"]
    assert found[0].lock == found[1].lock != found[2].lock != found[3].lock == ""


def _standing(thread: threading.Thread) -> KernelWait:
    """The wait of a thread, once it stands in one."""
    deadline = time.monotonic() + 30.0
    while True:
        assert thread.native_id is not None
        found = kernel_wait(os.getpid(), thread.native_id)
        if found.wait in ("lock", "other") or time.monotonic() > deadline:
            return found
        time.sleep(0.01)
