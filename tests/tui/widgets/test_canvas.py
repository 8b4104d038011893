"""A canvas makes anew only the rows that changed, and keeps none of another size."""

from __future__ import annotations

from textual.app import App, ComposeResult

from monitor.tui.cells import Line, line, span
from monitor.tui.widgets.canvas import Canvas


class Holder(App[None]):
    """One canvas and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = Canvas(id="only")
        self.made: list[int] = []

    def compose(self) -> ComposeResult:
        render = self.canvas.render_line

        def counted(y: int):  # type: ignore[no-untyped-def]
            self.made.append(y)
            return render(y)

        self.canvas.render_line = counted  # type: ignore[method-assign]
        yield self.canvas

    def text(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def lines(*texts: str) -> list[Line]:
    return [line(span(text)) for text in texts]


async def test_unchanged_rows_are_not_made_again() -> None:
    app = Holder()
    async with app.run_test(size=(20, 6)) as pilot:
        app.canvas.show_lines(lines("one", "two", "three"))
        await pilot.pause()
        app.made.clear()
        assert app.canvas.show_lines(lines("one", "2", "three")) == 1
        await pilot.pause(0.1)
        assert app.text()[:3] == ["one", "2", "three"]
        assert app.made == [1]
        assert app.canvas.show_lines(lines("one", "2", "three")) == 0
        await pilot.pause(0.1)
        assert app.made == [1]


async def test_a_row_of_a_larger_size_is_not_shown_again() -> None:
    app = Holder()
    async with app.run_test(size=(20, 6)) as pilot:
        app.canvas.show_lines(lines(*"abcdef"))
        await pilot.pause()
        await pilot.resize_terminal(20, 4)
        app.canvas.show_lines(lines(*"abcd"))
        await pilot.pause()
        await pilot.resize_terminal(30, 6)
        app.canvas.show_lines(lines("x"))
        await pilot.pause(0.1)
        assert app.text() == ["x", "", "", "", "", ""]


async def test_blank_rows_come_and_go() -> None:
    app = Holder()
    async with app.run_test(size=(20, 4)) as pilot:
        for shown in (["a", "", "c"], ["", "b", ""], ["a", "b", "c", "d"], ["", "", "", "d"]):
            app.canvas.show_lines([line(span(text)) if text else () for text in shown])
            await pilot.pause(0.1)
            assert app.text() == [*shown, *[""] * (4 - len(shown))]
