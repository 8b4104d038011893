"""The one line in which something is typed: a filter, or the name that confirms a launch. Hidden while not in use."""

from __future__ import annotations

from textual.widgets import Input

from monitor.tui.cells import safe


class Prompt(Input):
    """A plain input without a blinking cursor: a blink costs bytes on a slow line for as long as it stands there."""

    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0 1; background: $surface; color: $foreground; display: none; }
    Prompt:focus { border: none; background: $surface; }
    Prompt.open { display: block; }
    Prompt > .input--placeholder { color: $secondary; }
    Prompt > .input--cursor { text-style: reverse; }
    """

    def __init__(self) -> None:
        super().__init__(id="prompt", compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.purpose = ""

    def ask(self, purpose: str, placeholder: str, value: str = "") -> None:
        """Open for `purpose` (`filter` or `confirm`); the placeholder may hold names from outside."""
        self.purpose = purpose
        self.placeholder = safe(placeholder)
        self.value = value
        self.cursor_position = len(value)
        self.add_class("open")
        self.focus()

    def close(self) -> None:
        """Hide, and give the keys back."""
        self.purpose = ""
        self.remove_class("open")
        self.screen.set_focus(None)
