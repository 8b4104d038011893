"""Lines measured in cells: cutting, padding and wrapping never exceed the width, wide characters included."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.tui.cells import Span, columns, fit, line, plain, rule, span, width_of, wrap

words = st.text(alphabet="abc 日本é✓", max_size=60)


@given(words, st.integers(0, 50))
def test_fit_gives_exactly_the_width(text: str, width: int) -> None:
    assert width_of(fit((Span(text, "dim"), Span("tail")), width)) == width


@given(words, st.integers(12, 60))
def test_wrapping_keeps_every_word_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width, indent="  ", first=(Span("> "),))
    assert all(width_of(content) <= width for content in lines)
    assert "".join(plain(content) for content in lines).replace(" ", "").replace(">", "") == text.replace(" ", "")


def test_a_cut_is_marked() -> None:
    assert plain(fit(line("abcdef"), 4)) == "abc…"


def test_a_word_longer_than_the_line_is_broken() -> None:
    assert [plain(content) for content in wrap("x" * 25, 10)] == ["x" * 10, "x" * 10, "x" * 5]


def test_columns_are_as_wide_as_asked_whatever_stands_in_them() -> None:
    left, right = [line("a" * 50)], [line("b"), line("日" * 40)]
    assert [width_of(row) for row in columns(left, right, 20, 50)] == [50, 50]


def test_a_rule_is_as_wide_as_asked() -> None:
    assert [width_of(rule("log", width, "note")) for width in (5, 20, 80)] == [5, 20, 80]


def test_spans_keep_markup_as_text() -> None:
    assert plain(line(span("[bold]x[/]"))) == "[bold]x[/]"


def test_a_word_without_a_slash_near_its_end_is_broken_after_a_dash() -> None:
    broken = [plain(content) for content in wrap("/a/run-of-today-with-a-name/29.jsonl", 20)]
    assert broken == ["/a/run-of-today-", "with-a-name/29.jsonl"]
