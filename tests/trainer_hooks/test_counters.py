"""Counter slots: claiming, recycling, and the two ways to their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer_hooks.conftest import read_counters
from trainer_hooks import records
from trainer_hooks.counters import Counters, file_system


@pytest.mark.parametrize("map_file", [True, False])
def test_both_ways_show_the_same_in_the_file(tmp_path: Path, map_file: bool) -> None:
    counters = Counters(1)
    counters.add("before", 2)
    counters.attach(str(tmp_path / "c"), map_file=map_file)
    counters.add("before")
    counters.add("after", -1)
    counters.flush()
    assert {name: value for name, (value, _) in read_counters(tmp_path / "c").items()} == {"before": 3, "after": -1}


def test_mapped_counter_shows_without_a_flush(tmp_path: Path) -> None:
    counters = Counters(1)
    counters.attach(str(tmp_path / "c"), map_file=True)
    counters.add("samples", 7)
    assert read_counters(tmp_path / "c")["samples"][0] == 7


def test_full_slots_give_way_to_a_new_validation_and_to_nothing_else() -> None:
    counters = Counters(1)
    for step in range(records.SLOTS - 1):
        counters.add(records.validation_samples(step))
    counters.add("kept")
    counters.add(records.validation_samples(1000))
    values = counters.values()
    assert len(values) == records.SLOTS and "kept" in values
    assert records.validation_samples(0) not in values and values[records.validation_samples(1000)] == 1


def test_no_slot_left_is_an_error_the_recorder_counts() -> None:
    counters = Counters(1)
    for number in range(records.SLOTS):
        counters.add(f"other-{number}")
    with pytest.raises(LookupError):
        counters.add("one more")


def test_longest_name_is_cut_and_still_read(tmp_path: Path) -> None:
    counters = Counters(1)
    counters.attach(str(tmp_path / "c"), map_file=False)
    counters.add("n" * 100)
    counters.flush()
    assert {name: value for name, (value, _) in read_counters(tmp_path / "c").items()} == {"n" * 47: 1}


def test_file_system_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / {tmp_path}/a\\040b rw shared:1 - btrfs /dev/b rw\ntorn line\n"
    )
    (tmp_path / "a b").mkdir()
    assert file_system(str(tmp_path / "a b" / "c"), str(mounts)) == "btrfs"
    assert file_system("/", str(mounts)) == "ext4"
