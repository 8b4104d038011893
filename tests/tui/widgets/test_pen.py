"""What is sent for styled text shows as rich would have shown it, and says nothing twice."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from monitor.tui.widgets.pen import Pen

styles = st.sampled_from(
    [
        None,
        Style.parse("#ff0000 on #000000"),
        Style.parse("bold #ff0000 on #000000"),
        Style.parse("bold #00ff00 on #202020"),
        Style.parse("reverse blue"),
        Style.parse("underline #00ff00 on #000000"),
        Style.parse("bright_black on default"),
        Style.parse("italic strike on #202020"),
    ]
)
segments = st.lists(
    st.builds(Segment, st.text(alphabet="ab é─ ", min_size=1, max_size=4), styles), min_size=1, max_size=8
)


def shown(sent: str) -> list[tuple[object, ...]]:
    """The cells of a terminal's row; the colour of a space's text is not to be seen."""
    screen = pyte.Screen(60, 1)
    pyte.Stream(screen).feed(sent)
    cells = []
    for column in range(60):
        cell = screen.buffer[0][column]
        hidden = cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough)
        cells.append(cell._replace(fg="default", bold=False, italics=False) if hidden else cell)
    return cells


@given(segments)
def test_a_terminal_shows_what_rich_would_have_shown(content: list[Segment]) -> None:
    rich = "".join(
        style.render(text, color_system=ColorSystem.TRUECOLOR) if style else text for text, style, _ in content
    )
    assert shown(Pen(ColorSystem.TRUECOLOR).write(content)) == shown(rich)


@given(segments)
def test_lifted_it_leaves_nothing_behind(content: list[Segment]) -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    sent = pen.write(content) + pen.lift()
    screen = pyte.Screen(60, 1)
    pyte.Stream(screen).feed(sent + "x")
    assert screen.buffer[0][screen.cursor.x - 1] == pyte.screens.Char("x")


def test_the_same_look_is_said_once() -> None:
    red = Style.parse("#ff0000 on #000000")
    sent = Pen(ColorSystem.TRUECOLOR).write([Segment("a", red), Segment("b", red), Segment("c", red)])
    assert sent == "\x1b[38;2;255;0;0;48;2;0;0;0mabc"


def test_only_what_differs_is_said() -> None:
    first, second = Style.parse("#ff0000 on #000000"), Style.parse("#00ff00 on #000000")
    sent = Pen(ColorSystem.TRUECOLOR).write([Segment("a", first), Segment("b", second)])
    assert sent.endswith("a\x1b[38;2;0;255;0mb")
