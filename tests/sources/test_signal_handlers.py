"""Handlers of signals that could wake a process are told; those of every Python, of faults and of ends are not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monitor.sources.proc import signal_handlers

HANDLES = """
import faulthandler, signal, sys
faulthandler.enable()
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), lambda *_: None)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("handled", "told"),
    [
        ((), ()),
        (("SIGTERM", "SIGINT", "SIGCHLD"), ()),
        (("SIGALRM",), ("SIGALRM",)),
        (("SIGUSR2", "SIGUSR1"), ("SIGUSR1", "SIGUSR2")),
    ],
)
def test_a_process_is_told_by_the_signals_that_it_handles(handled: tuple[str, ...], told: tuple[str, ...]) -> None:
    words = [sys.executable, "-c", HANDLES, *handled]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        assert signal_handlers(child.pid) == told
    finally:
        child.communicate()


def test_a_process_that_is_gone_handles_nothing() -> None:
    assert signal_handlers(2**22 - 3) == ()
