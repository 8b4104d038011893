"""Kernel ids by pthread handles: told only where one place of the C library's records fits every thread."""

from __future__ import annotations

import os
import struct

from monitor.inspection.kernel_ids import RECORD_BYTES, match, of_handles

PID, OTHER = 4000, 4007
MAIN, THREAD = 0x7000, 0x8000


def _record(words: dict[int, int]) -> bytes:
    record = bytearray(RECORD_BYTES)
    for place, word in words.items():
        struct.pack_into("<i", record, place, word)
    return bytes(record)


def test_the_only_place_that_fits_every_record_tells_the_ids() -> None:
    records = {MAIN: _record({720: PID, 16: PID}), THREAD: _record({720: OTHER, 16: PID})}
    assert match(PID, {PID, OTHER}, MAIN, records) == {MAIN: PID, THREAD: OTHER}


def test_two_places_that_fit_tell_nothing() -> None:
    records = {MAIN: _record({720: PID, 16: PID}), THREAD: _record({720: OTHER, 16: OTHER})}
    assert match(PID, {PID, OTHER}, MAIN, records) == {}


def test_a_thread_that_ended_meanwhile_tells_nothing() -> None:
    records = {MAIN: _record({720: PID}), THREAD: _record({720: OTHER})}
    assert match(PID, {PID}, MAIN, records) == {}


def test_handles_that_are_no_memory_tell_nothing() -> None:
    assert of_handles(os.getpid(), 8, [16]) == {}
