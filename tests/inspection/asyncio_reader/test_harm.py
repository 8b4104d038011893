"""A reading makes no ptrace call, writes no foreign memory, sends the target no signal: shown by tracing the tool."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.reader_harm import ptrace_calls


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_whole_reading_stops_nothing_and_touches_nothing() -> None:
    counted = ptrace_calls()
    assert counted["process_vm_readv"] > 0, "the trace saw the tool at work"
    assert (counted["ptrace"], counted["process_vm_writev"], counted["signals_to_the_target"]) == (0, 0, 0)
