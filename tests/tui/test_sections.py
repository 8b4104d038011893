"""Sections share rows by rank, say what is left out, and never take more than there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.tui.cells import line, plain, width_of
from monitor.tui.sections import Section, pack


def section(title: str, count: int, **changes: object) -> Section:
    return Section(title, tuple(line(f"{title} {index}") for index in range(count)), **changes)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(0, 3)), max_size=6), st.integers(0, 40))
def test_no_more_rows_than_there_are(shapes: list[tuple[int, int, int]], height: int) -> None:
    blocks = [section(f"s{i}", count, least=least, rank=rank) for i, (count, least, rank) in enumerate(shapes)]
    packed = pack(blocks, 40, height)
    assert len(packed) <= height
    assert all(width_of(row) <= 40 for row in packed)


def test_what_is_left_out_is_counted_in_the_title() -> None:
    packed = [plain(row) for row in pack([section("phases", 9)], 40, 4)]
    assert "6 more" in packed[0]
    assert packed[1:] == ["phases 0", "phases 1", "phases 2"]


def test_the_first_in_rank_stays_where_room_is_short() -> None:
    packed = pack([section("low", 2, rank=9), section("high", 2, rank=0)], 40, 3)
    assert plain(packed[0]).startswith(" high")


def test_what_grows_takes_the_rest_and_shows_its_end() -> None:
    packed = [plain(row) for row in pack([section("a", 2), section("log", 50, grows=True)], 40, 10)]
    assert packed[-1] == "log 49"
    assert len(packed) == 10


def test_a_text_that_is_cut_ends_with_a_mark() -> None:
    assert plain(pack([section("gpus", 3, prose=True)], 20, 2)[-1]).endswith("…")
