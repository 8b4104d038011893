"""Facts are read from real files: data hash and rows, a container's memory limit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from monitor.rerun.gather import data_facts, memory, resources


@pytest.mark.parametrize("end", ["\n", ""])
def test_rows_of_the_validation_file_count_a_last_line_without_its_end(tmp_path: Path, end: str) -> None:
    path = tmp_path / "validation.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}' + end)
    found = data_facts(path)
    assert (found.rows, found.sha256) == (2, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_that_is_not_there_has_no_hash(tmp_path: Path) -> None:
    found = data_facts(tmp_path / "none.jsonl")
    assert (found.exists, found.sha256) == (False, None)


def test_a_containers_limit_counts_where_it_is_lower_than_the_machine(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "memory.current").write_text("524288\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1024\n")
    assert memory(tmp_path) == (1048576, 524288 + 1024)


def test_no_limit_leaves_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("524288\n")
    (tmp_path / "memory.stat").write_text("")
    total, free = memory(tmp_path)
    assert total is not None and free is not None
    assert 1048576 < free <= total


def test_a_state_folder_that_is_not_there_is_not_writable(tmp_path: Path) -> None:
    found = resources(tmp_path / "none")
    assert not found.state_writable
    assert "none" in found.state_error
