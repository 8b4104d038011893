"""Nothing that comes from outside can steer a terminal, and honest text stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report.clean_text import LONGEST, clean


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0\x1b\\after", "after"),
        ("\x9b31mred", "red"),
        ("\x1bc reset", " reset"),
        ("unfinished \x1b[", "unfinished "),
        ("unfinished \x1b]0;title", "unfinished "),
        ("bell\x07 null\x00", "bell� null�"),
        ("abc\u202edef", "abc�def"),
        ("zero\u200bwidth", "zero�width"),
        ("line\u2028sep", "line�sep"),
        ("\ud800 surrogate", "� surrogate"),
        ("first\nsecond", "first second"),
        ("wide or not ❤\ufe0f ✓\ufe0e", "wide or not ❤ ✓"),
    ],
)
def test_controls_never_pass(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@pytest.mark.parametrize("honest", ["step:20 - val-core/acc:0.62", "Überprüfung ✓ 日本語", "é", "[bold]not markup[/]"])
def test_honest_text_stays(honest: str) -> None:
    assert clean(honest) == honest


def test_a_redrawn_bar_shows_its_last_state() -> None:
    assert clean("Progress:  1/29\rProgress:  2/29\r") == "Progress:  2/29"


def test_piled_up_marks_are_cut() -> None:
    assert clean("a" + "\u0301" * 500 + "b") == "a" + "\u0301" * 3 + "b"


def test_a_line_of_100_kb_is_cut_and_says_so() -> None:
    shown = clean("x" * 100_000)
    assert len(shown) == LONGEST
    assert shown.endswith("…")


@given(st.text())
def test_whatever_comes_in_only_printable_text_comes_out(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= LONGEST
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in shown)


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
