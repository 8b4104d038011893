"""What is sent for a frame shows as rich would have shown it, in as few bytes as its orders allow; not what changed."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from monitor.tui.widgets.frame import Stretch, sent

RED, GREEN = Style.parse("#ff0000 on #000000"), Style.parse("#00ff00 on #000000")
COLUMNS, ROWS = 60, 4

styles = st.sampled_from(
    [
        None,
        RED,
        Style.parse("bold #ff0000 on #000000"),
        Style.parse("bold #00ff00 on #202020"),
        Style.parse("reverse blue"),
        Style.parse("underline #00ff00 on #000000"),
        Style.parse("bright_black on default"),
        Style.parse("italic strike on #202020"),
    ]
)
texts = st.text(alphabet="ab é─全\u0301 ", min_size=1, max_size=4).map(
    lambda text: "a" + text if text[0] == "\u0301" else text
)
segments = st.lists(st.builds(Segment, texts, styles), min_size=1, max_size=5)
frames = st.dictionaries(st.integers(0, ROWS - 1), st.tuples(st.integers(0, 8), segments), min_size=1).map(
    lambda rows: [Stretch(row, column, content) for row, (column, content) in rows.items()]
)


def shown(written: str) -> list[tuple[object, ...]]:
    """The cells of a terminal; the colour of a space's text is not to be seen."""
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(written)
    cells = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            hidden = cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough)
            cells.append(cell._replace(fg="default", bold=False, italics=False) if hidden else cell)
    return cells


def rich_would(stretch: Stretch) -> str:
    """Each stretch where it stands, each segment with its whole look."""
    texts = [
        style.render(text, color_system=ColorSystem.TRUECOLOR) if style else text for text, style, _ in stretch.segments
    ]
    return f"\x1b[{stretch.row + 1};{stretch.column + 1}H" + "".join(texts)


@given(frames)
def test_a_terminal_shows_what_rich_would_have_shown(frame: list[Stretch]) -> None:
    assert shown(sent(frame, ColorSystem.TRUECOLOR)) == shown("".join(rich_would(stretch) for stretch in frame))


@given(frames)
def test_it_leaves_nothing_behind(frame: list[Stretch]) -> None:
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(sent(frame, ColorSystem.TRUECOLOR) + "\x1b[4;60Hx")
    assert screen.buffer[ROWS - 1][COLUMNS - 1] == pyte.screens.Char("x")


def test_the_same_look_is_said_once() -> None:
    frame = [Stretch(0, 0, [Segment("a", RED), Segment("b", RED), Segment("c", RED)])]
    assert sent(frame, ColorSystem.TRUECOLOR) == "\x1b[1H\x1b[38;2;255;0;0;48;2;0;0;0mabc\x1b[0m"


def test_only_what_differs_is_said() -> None:
    frame = [Stretch(0, 0, [Segment("a", RED), Segment("b", GREEN)])]
    assert sent(frame, ColorSystem.TRUECOLOR).endswith("a\x1b[38;2;0;255;0mb\x1b[0m")


def test_a_table_of_two_colours_says_each_once() -> None:
    """A colour costs three times what a move of the cursor costs."""
    frame = [Stretch(row, 0, [Segment("a" * 9, RED), Segment("b" * 9, GREEN)]) for row in range(ROWS)]
    written = sent(frame, ColorSystem.TRUECOLOR)
    assert (written.count("255;0;0"), written.count("0;255;0")) == (1, 1)


def test_in_sixteen_colours_a_row_is_sent_as_it_stands() -> None:
    """There a colour is shorter than a move."""
    blue, yellow = Style.parse("blue"), Style.parse("yellow")
    frame = [Stretch(row, 0, [Segment("a", blue), Segment("b", yellow)]) for row in (1, 2)]
    written = sent(frame, ColorSystem.STANDARD)
    assert written == "\x1b[2H\x1b[34ma\x1b[33mb\x1b[3H\x1b[34ma\x1b[33mb\x1b[0m"
