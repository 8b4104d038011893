"""Following a log: every line once, whatever is rotated, truncated, cut, redrawn, huge or full of controls."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.log_tail import LogGone, LogTail, clean


def _texts(tail: LogTail) -> list[str]:
    return [line.text for line in tail.lines()]


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_line_is_given_once_when_its_end_was_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    assert _texts(tail) == []
    _append(path, b"one\ntw")
    assert _texts(tail) == ["one"]
    assert _texts(tail) == []
    _append(path, b"o\nthree\n")
    assert [(line.number, line.text) for line in tail.lines()] == [(2, "two"), (3, "three")]


def test_a_character_cut_between_two_readings_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    whole = "grün\n".encode()
    _append(path, whole[:3])
    assert _texts(tail) == []
    _append(path, whole[3:])
    assert _texts(tail) == ["grün"]


def test_redrawn_text_comes_line_by_line_and_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    _append(path, b"a\n\r 1/29\r 2/29\r 3/29")
    assert [(line.number, line.text) for line in tail.lines()] == [(1, "a"), (2, " 1/29"), (2, " 2/29")]
    _append(path, b"\r\nb\r")
    assert [(line.number, line.text) for line in tail.lines()] == [(2, " 3/29"), (3, "b")]
    _append(path, b"\nc\n")
    assert [(line.number, line.text) for line in tail.lines()] == [(4, "c")]


def test_a_rotated_log_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    _append(path, b"one\n")
    assert _texts(tail) == ["one"]
    _append(path, b"last of the old\n")
    path.rename(tmp_path / "log.1")
    _append(path, b"first of the new\n")
    assert _texts(tail) == ["last of the old", "first of the new"]
    assert tail.restarts == ["rotated"]


def test_a_truncated_log_begins_anew_also_when_it_has_grown_past_the_old_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    _append(path, b"one\ntwo\n")
    tail.lines()
    path.write_bytes(b"x\n")
    assert _texts(tail) == ["x"]
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(b"a much longer first line\nand a second\n")
    assert _texts(tail) == ["a much longer first line", "and a second"]
    assert tail.restarts == ["truncated", "truncated"]


def test_a_log_that_vanishes_is_an_error_and_one_that_is_not_yet_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path)
    assert _texts(tail) == []
    _append(path, b"one\n")
    assert _texts(tail) == ["one"]
    _append(path, b"two\n")
    path.unlink()
    assert _texts(tail) == ["two"]
    with pytest.raises(LogGone, match="is gone"):
        tail.lines()
    _append(path, b"back\n")
    assert _texts(tail) == ["back"]


def test_a_line_of_ten_megabytes_is_bounded_and_the_next_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path, longest_line=1000)
    _append(path, b"x" * (10 << 20) + b"\nnext\n")
    first, second = tail.lines()
    assert (len(first.text), first.cut, first.number) == (1000, True, 1)
    assert (second.text, second.cut, second.number) == ("next", False, 2)


def test_more_than_one_reading_is_taken_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = LogTail(path, read_at_once=10)
    _append(path, b"0123456\nabcdefgh\n")
    assert _texts(tail) == ["0123456"] and tail.behind
    assert _texts(tail) == ["abcdefgh"] and not tail.behind


def test_control_characters_and_escapes_never_come_through() -> None:
    assert clean("\x1b[36m(T pid=1)\x1b[0m hi\x07\x08\x00") == "(T pid=1) hi"
    assert clean("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b") == "ab"
    assert clean("a\tb\x9b31mc\u202ed") == "a b31mcd"


@given(st.text())
def test_no_text_keeps_a_control_character(text: str) -> None:
    assert all(ord(character) >= 32 and not 127 <= ord(character) < 160 for character in clean(text))


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\xc3\xbc"])), st.integers(1, 5))
def test_however_a_log_is_written_its_lines_are_the_same(pieces: list[bytes], at_once: int) -> None:
    whole = b"".join(pieces)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"")
        slow = LogTail(path, read_at_once=at_once)
        slow.lines()
        _append(path, whole)
        lines = slow.lines()
        while slow.behind:
            lines += slow.lines()
        fast = LogTail(path)
        assert [(line.number, line.text) for line in fast.lines()] == [(line.number, line.text) for line in lines]
        fast.close()
        slow.close()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_a_log_in_another_encoding_keeps_what_is_plain_in_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "console.log"
    path.write_bytes("Größe – 4\nstep:3 - a:1\n".replace("–", "-").encode(encoding))
    assert "step:3 - a:1" in [line.text for line in LogTail(path).lines()]
