"""Rows of a parquet file from its footer: the validation set of `examples/verl_cpu`, whole and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.sources.parquet_rows import _Footer, count_parquet_rows

FILE = Path(__file__).with_name("verl_lines") / "validation.parquet"


def test_the_rows_stand_in_the_footer() -> None:
    assert count_parquet_rows(FILE) == 8


def test_every_field_before_the_rows_is_skipped_whole() -> None:
    """Version 2; a schema of one element with a name of 300 bytes, a boolean and a byte; then 70,000 rows."""
    name = b"\x48" + b"\xac\x02" + b"n" * 300  # field 4, binary
    element = name + b"\x11" + b"\x13\x07" + b"\x00"  # fields 5 (true) and 6 (byte), end
    footer = b"\x15\x04" + b"\x19\x1c" + element + b"\x16" + b"\xe0\xc5\x08" + b"\x00"
    assert _Footer(footer).rows() == 70_000


@pytest.mark.parametrize("kept", [0, 3, 7, 100, -1, -9])
def test_a_file_that_is_cut_has_no_rows_to_tell(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.parquet"
    path.write_bytes(FILE.read_bytes()[:kept])
    assert count_parquet_rows(path) is None


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert count_parquet_rows(tmp_path / "gone.parquet") is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_no_footer_makes_it_fail(tmp_path: Path, footer: bytes) -> None:
    path = tmp_path / "any.parquet"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert count_parquet_rows(path) is None or isinstance(count_parquet_rows(path), int)
