"""The live document: the end of the log, as a terminal would show it and as text."""

from __future__ import annotations

from pathlib import Path

from monitor.engine.live import tail_of
from monitor.report.clean_text import clean


def test_a_bar_redrawn_with_carriage_returns_is_one_line_and_its_last_state(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    bar = "".join(f"\r{percent:3d}%|###| {percent}/100" for percent in range(101))
    log.write_bytes(f"(A pid=1) begins\n(A pid=1){bar}\n\n(A pid=1) ends\r\n".encode())
    assert tail_of(str(log), 3, clean) == ["(A pid=1) begins", "100%|###| 100/100", "(A pid=1) ends"]


def test_hostile_bytes_of_the_log_reach_the_document_as_text(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"\x1b[2J\x1b]0;owned\x07ok\xff\n" + "\u202egnp".encode() + b"\nx\n")
    rows = tail_of(str(log), 5, clean)
    assert len(rows) == 3 and all(row.isprintable() for row in rows)


def test_no_more_lines_than_asked_for_and_none_of_a_log_that_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("".join(f"line {number}\n" for number in range(50)))
    assert tail_of(str(log), 4, clean) == [f"line {number}" for number in range(46, 50)]
    assert tail_of(str(tmp_path / "gone"), 4, clean) == []
