"""A log of any length by line number: whole, live, clean, never waiting."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from monitor.tui.log_index import LONGEST_BYTES, LogIndex, shown
from monitor.tui.log_search import LogRequest, LogSearch, page


def indexed(path: Path) -> LogIndex:
    index = LogIndex(str(path))
    index.grow()
    while not index.whole:
        index.grow()
    return index


def searched(index: LogIndex, pattern: str) -> LogSearch:
    search = LogSearch(re.compile(pattern))
    while not search.complete(index):
        search.step(index)
    return search


def test_any_page_of_a_million_lines_is_found_by_its_number_and_every_match_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d of the log\n" % number for number in range(1_000_000)))
    index = indexed(path)
    assert index.count == 1_000_000
    assert index.texts(765_431, 765_433) == ["line 765431 of the log", "line 765432 of the log"]
    search = searched(index, r"line \d*99999 ")
    found = page(index, search, LogRequest(str(path), rows=3, top=0, pattern=search.pattern))
    assert (found.matching, found.rows[0]) == (10, (100_000, "line 99999 of the log"))


def test_a_redrawn_bar_is_one_line_and_hostile_bytes_are_text(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"plain\n\x1b[31mred\x1b[0m\x1b]0;title\x07\n 1/9\r 2/9\r\n\xff\xfe\x00torn")
    assert indexed(path).texts(0, 9) == ["plain", "red", " 2/9", "���torn"]


@pytest.mark.parametrize("mark", ["‮", "⁦", "​", "﻿", "\x9b31m", "\x07", "\x1b[2J"])
def test_no_mark_that_steers_a_terminal_or_turns_the_text_round_is_left(mark: str) -> None:
    text = shown(f"before{mark}after\n".encode())
    assert text.isprintable()
    assert text.startswith("before") and text.endswith("after")


def test_a_line_of_100_kilobytes_costs_a_bounded_row_and_the_lines_after_it_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"x" * 100_000 + b"\n" + b"y" * (LONGEST_BYTES * 20) + b"\nlast\n")
    index = indexed(path)
    first, long, longer, last = index.texts(0, 4)
    assert (first, last) == ("a", "last")
    assert len(long) == len(longer) == 2000


def test_a_bar_redrawn_for_100_kilobytes_shows_its_last_state(tmp_path: Path) -> None:
    assert shown(b"".join(b"%6d/9\r" % number for number in range(12_000))) == " 11999/9"


def test_lines_that_are_appended_are_found_and_matched_once_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntw")
    index = indexed(path)
    search = searched(index, "two")
    assert (index.count, len(search.matches)) == (2, 0)
    with path.open("a") as file:
        file.write("o\nthree")
    index.grow()
    search.step(index)
    assert (index.texts(0, 3), list(search.matches)) == (["one", "two", "three"], [1])


def test_a_truncated_log_is_read_and_searched_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\nold\n")
    index = indexed(path)
    search = searched(index, "old|new")
    path.write_text("new\n")
    index.grow()
    search.step(index)
    assert (index.texts(0, 9), list(search.matches)) == (["new"], [0])


def test_a_pipe_in_its_place_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        LogIndex(str(path)).grow()


def test_without_the_filter_matches_are_places_to_go_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{number}\n" for number in range(100)))
    index = indexed(path)
    search = searched(index, "^[37]0$")
    at = page(index, search, LogRequest(str(path), rows=10, top=50, pattern=search.pattern, only=False))
    assert (at.shown, at.previous, at.following) == (100, 30, 70)
