"""Shell text as words: what a shell would see, with nothing run."""

from __future__ import annotations

import pytest

from monitor.sources.shell_text import expand, logical_lines, read_words


def test_continued_lines_are_one_and_keep_their_first_number() -> None:
    assert logical_lines("a \\\n  b=1 \\\n  c=2\nd\n") == [(1, "a    b=1    c=2"), (4, "d")]


def test_a_comment_between_continued_lines_ends_the_command_as_it_does_in_a_shell() -> None:
    text = "python3 train.py \\\n  a.b=1 \\\n  # a.c=2 \\\n  a.d=3\n"
    assert [(number, line.split()) for number, line in logical_lines(text)] == [
        (1, ["python3", "train.py", "a.b=1"]),
        (4, ["a.d=3"]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("a 'b c' \"d\"", ["a", "b c", "d"]),
        ("a b=1 # c=2", ["a", "b=1"]),
        ("a b=x#y", ["a", "b=x#y"]),
        ("a 'b", ["a", "'b"]),
    ],
)
def test_words_are_those_of_a_shell(text: str, words: list[str]) -> None:
    assert read_words(text) == words


def test_known_variables_are_put_in_and_unknown_ones_take_their_default_or_stay() -> None:
    assert expand("$a/${b}/${c:-x}/${d-y}/$e", {"a": "1", "b": "2"}) == "1/2/x/y/$e"
