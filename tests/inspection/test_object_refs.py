"""ObjectIDs out of memory: read where the layout is the known one, refused where anything about them is odd."""

from __future__ import annotations

import ctypes
import os
import struct

import pytest

from monitor.inspection.object_refs import RefsUnreadable, check, list_items, read_refs
from monitor.inspection.process_memory import MemoryUnreadable, read, read_words

ME = os.getpid()
TYPE = 0x7F00DEADBEEF


def _identifier(task: int = 7, job: int = 1, index: int = 1) -> bytes:
    return struct.pack("<Q", task) + b"a" * 12 + struct.pack("<II", job, index)


class Memory:
    """Bytes in this process at a fixed address."""

    def __init__(self, content: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(content, len(content))
        self.address = ctypes.addressof(self._buffer)


def _ref(identifier: bytes, kind: int = TYPE) -> Memory:
    return Memory(struct.pack("<QQQQ", 1, kind, 0, 0) + identifier)


def test_ids_are_read_at_their_place() -> None:
    refs = [_ref(_identifier(task)) for task in (1, 2, 3)]
    assert read_refs(ME, [ref.address for ref in refs]) == tuple(_identifier(task).hex() for task in (1, 2, 3))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (_identifier(job=0), "several jobs"),
        (_identifier(job=2), "several jobs"),
        (bytes(20) + struct.pack("<II", 1, 1), "no ObjectID"),
        (_identifier(index=0), "no ObjectID"),
        (_identifier(index=2**31), "no ObjectID"),
    ],
)
def test_one_odd_id_makes_all_unreadable(odd: bytes, words: str) -> None:
    refs = [_ref(_identifier()), _ref(odd)]
    with pytest.raises(RefsUnreadable, match=words):
        read_refs(ME, [ref.address for ref in refs])


def test_bytes_that_name_no_job_are_no_ids_even_alone() -> None:
    for job in (0, 2**31):
        with pytest.raises(RefsUnreadable, match="no ObjectID"):
            check([_identifier(job=job)], {TYPE})


def test_objects_of_several_types_are_no_refs() -> None:
    refs = [_ref(_identifier()), _ref(_identifier(), kind=TYPE + 8)]
    with pytest.raises(RefsUnreadable, match="several types"):
        read_refs(ME, [ref.address for ref in refs])


def test_memory_that_is_not_there_is_an_error_and_no_id() -> None:
    for address in (0, 8, 1 << 60):
        with pytest.raises(RefsUnreadable, match="can't be read"):
            read_refs(ME, [address])
        with pytest.raises(MemoryUnreadable):
            read(ME, address, 8)
    with pytest.raises(MemoryUnreadable, match="No such process"):
        read(2**22 - 3, 4096, 8)


def test_the_items_of_a_real_list_are_found_also_through_a_cell() -> None:
    listed = [object(), object(), object()]
    expected = tuple(id(item) for item in listed)
    assert list_items(ME, id(listed), "") == expected

    def closure() -> object:
        return listed

    cell = (closure.__closure__ or ())[0]
    assert list_items(ME, id(cell), f"<cell at {id(cell):#x}>") == expected
    assert read_words(ME, id(listed) + 16, 1) == (3,)


def test_a_list_that_changed_meanwhile_or_is_empty_is_refused() -> None:
    listed = [object()]
    with pytest.raises(RefsUnreadable, match="changed"):
        list_items(ME, id(listed), "[<ray.ObjectRef at 0x7f0000000010>]")
    with pytest.raises(RefsUnreadable, match="empty"):
        list_items(ME, id([]), "[]")
