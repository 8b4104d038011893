"""A results document rewritten so that each number says its step and standing, and nothing else changes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.audit.summary_fix import FixedSummary, NotADocument, fix_summary, read_document, write_document
from tests.audit.concluded_family import audit, family

SUMMARY = """# All experiments

GSM8K test accuracy.

- **E13g**: Step 0: 8.11% → Step 20: 60.88% → Step 29: 70.89% (FINAL)
- **E13h**: Step 0: 7.96% → Step 20: 60.73% → Step 29: 71.42% (FINAL)
- **E13j**: Step 0: 8.19% → Step 20: 73.31%
- **E13k**: Step 0: 7.96% → Step 20: 65.96%
"""
CONTENTS = [
    SUMMARY.encode().replace(b"\n", b"\r\n"),
    "é E13j: 73.31% ü".encode("latin-1"),
    b"\xef\xbb\xbfE13j: 73.31%",
    b"",
    b"\r\n\r",
    b"E13j: 73.31%\x0c\x85\x1e\n",
]
LINES = [*SUMMARY.splitlines(), "text 1.5%", "E13j E13k +7.35", "```", "0.0819", "#"]
NOTE = re.compile(r" \((?:step|val_only|does not hold)[^()]*\)")


def fixed(text: str) -> FixedSummary:
    """By what the audit of the family concludes."""
    return fix_summary(text, family(), audit().comparisons)


def test_the_familys_summary_says_the_step_and_standing_of_each_number() -> None:
    made = fixed(SUMMARY)
    lines = made.after.splitlines()
    assert lines[4] == (
        "- **E13g**: Step 0: 8.11% (step 0 of 29: not-final) → Step 20: 60.88% (step 20 of 29: not-final) → "
        "Step 29: 70.89% (step 29 of 29: valid) (FINAL)"
    )
    assert lines[6].endswith("73.31% (step 20 of 29: not-final, not-quantized; the final score is missing)")
    assert made.marked == 10 and made.doubts == ()
    assert NOTE.sub("", made.after) == SUMMARY


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
def test_the_diff_shows_only_the_lines_with_numbers_and_can_be_applied(tmp_path: Path) -> None:
    made = fixed(SUMMARY)
    path = tmp_path / "summary.md"
    path.write_text(SUMMARY)
    diff = made.diff("summary.md")
    assert diff.count("\n+- ") == diff.count("\n-- ") == 4
    subprocess.run(["patch", "-s", "-p1"], input=diff, text=True, cwd=tmp_path, check=True)
    assert path.read_text() == made.after


def test_twice_is_once() -> None:
    once = fixed(SUMMARY).after
    assert fixed(once).after == once and fixed(once).diff("x") == ""


@pytest.mark.parametrize("shown", ["73.31%", "73.31 %", "73.3%", "0.7331", "73.31", "0.733"])
def test_percent_fractions_and_rounded_numbers_are_matched(shown: str) -> None:
    assert f"{shown} (step 20 of 29: not-final, not-quantized" in fixed(f"E13j reached {shown} at last\n").after


def test_a_table_a_heading_and_the_whole_name_tell_the_run() -> None:
    table = "| run | final |\n|---|---|\n| E13k | 65.96 |\n| mxfp4_w4a4_e13l | 0.5322 |\n"
    made = fixed(table).after
    assert "65.96 (step 20 of 29" in made and "0.5322 (step 20 of 29" in made
    assert "69.37% (step 20 of 29" in fixed("## E13m\n\nIt ended at 69.37%.\n").after


def test_a_number_of_another_run_or_of_none_is_left_alone() -> None:
    text = "E13k: 73.31%\nThe loss was 0.7331, the rate 0.05 and 5.00%.\nE13k-old: 65.96%\nversion 65.96.1 of E13k\n"
    made = fixed(text)
    assert made.after == text
    assert made.doubts == ("line 1: no log shows 73.31% of E13k; it is left as it is",)


def test_a_number_placed_at_another_step_is_said() -> None:
    made = fixed("E13j: Step 29: 73.31% (FINAL)\n")
    assert "not of step 29" in made.after and "is of step 20, not 29" in made.doubts[0]


def test_a_difference_that_does_not_hold_says_so_with_the_baseline() -> None:
    made = fixed("E13k against E13j: −7.35 points; E13m vs E13j: -3.94%\n")
    assert made.after.count("does not hold; these scores can't be compared; the baseline is E13h") == 2


def test_the_val_only_score_says_what_it_is() -> None:
    assert "8.49% (val_only of step 29: stale-weights, not-quantized)" in fixed("E13j by val_only: 8.49%\n").after


def test_code_is_left_as_it_is() -> None:
    text = "```\nE13j: 73.31%\n```\nE13j printed `73.31%`\n"
    assert fixed(text).after == text


@pytest.mark.parametrize("content", CONTENTS)
def test_line_ends_and_bytes_of_any_encoding_are_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(content)
    path.chmod(0o640)
    made = fixed(read_document(path))
    write_document(path, made)
    assert (
        NOTE.sub("", path.read_bytes().decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") == content
    )
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text(SUMMARY)
    made = fixed(read_document(path))
    path.write_text("mine")
    with pytest.raises(NotADocument, match="changed meanwhile"):
        write_document(path, made)
    assert path.read_text() == "mine"


def test_what_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0\1")
    for path in (tmp_path / "a", tmp_path / "none", tmp_path):
        with pytest.raises(NotADocument):
            read_document(path)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_nothing_but_notes_is_ever_added(lines: list[str], end: str) -> None:
    text = end.join(lines)
    assert NOTE.sub("", fixed(text).after) == text


def test_a_line_that_no_person_wrote_is_left_as_it_is_and_said() -> None:
    text = "E13j 73.31% " * 5000 + "\nE13j: 73.31%\n"
    made = fixed(text)
    assert made.marked == 1 and "longer than" in made.doubts[0]
