"""The end of a log: bounded, clean, never waiting."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.tui.log_file import MOST_BYTES, LogFile


def test_lines_are_clean_and_a_redrawn_bar_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"plain\n\x1b[31mred\x1b[0m\n 1/9\r 2/9\r\n\xff\xfe torn")
    assert LogFile().read(str(path)) == (("plain", "red", " 2/9", "�� torn"), "")


def test_only_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(b"x" * (MOST_BYTES * 2) + b"\nlast\n")
    assert LogFile().read(str(path))[0] == ("last",)


def test_a_truncated_log_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\nold\n")
    log = LogFile()
    log.read(str(path))
    path.write_text("new\n")
    assert log.read(str(path)) == (("new",), "")


def test_a_pipe_in_its_place_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    lines, problem = LogFile().read(str(path))
    assert lines == ()
    assert "no regular file" in problem


def test_a_log_that_is_gone_keeps_its_lines_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("line\n")
    log = LogFile()
    log.read(str(path))
    path.unlink()
    lines, problem = log.read(str(path))
    assert lines == ("line",)
    assert "No such file" in problem
