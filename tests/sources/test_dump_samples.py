"""Samples of dumps by names that two runs share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitor.sources.dump_samples import read_samples


def dump(path: Path, rows: list[Any]) -> Path:
    """A dump with these rows."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(prompt: str, score: Any, output: str = "") -> dict[str, Any]:
    """One sample."""
    return {"input": prompt, "output": output, "gts": "4", "score": score, "step": 29}


def test_the_same_samples_have_the_same_names_in_any_order_whatever_was_answered(tmp_path: Path) -> None:
    left = read_samples(dump(tmp_path / "a.jsonl", [row("2+2", 1.0, "4"), row("1+3", 0.0, "5"), row("2+2", 0.0)]))
    right = read_samples(dump(tmp_path / "b.jsonl", [row("1+3", 1), row("2+2", 1), row("2+2", 1)]))
    assert left.keys() == right.keys() and len(left) == 3
    assert sorted(left.values()) == [0.0, 0.0, 1.0]


def test_lines_that_are_no_samples_are_left_out(tmp_path: Path) -> None:
    rows = [
        "{torn",
        "[]",
        "null",
        row("a", None),
        row("b", True),
        row("c", float("nan")),
        {"score": 1.0},
        row("d", 0.5),
    ]
    assert list(read_samples(dump(tmp_path / "a.jsonl", rows)).values()) == [0.5]


def test_a_file_that_is_not_there_has_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path / "none.jsonl") == {}
