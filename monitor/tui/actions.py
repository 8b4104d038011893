"""The one registry of actions: bindings, footer, palette and help are all made from it, so that they can't disagree."""

from __future__ import annotations

from dataclasses import dataclass

VIEWS = ("run", "hang", "scores", "rerun", "log")


@dataclass(frozen=True)
class Action:
    """Something a key does. `views` empty: everywhere. `changes` True: left out with --read-only."""

    name: str
    """The dashboard's method is `action_<name>`, or `action_show('<view>')` for views."""
    keys: tuple[str, ...]
    label: str
    """One word, for the footer."""
    help: str
    views: tuple[str, ...] = ()
    shown_as: str = ""
    """The key as a person reads it, where it differs from the first of `keys`."""
    changes: bool = False
    in_footer: bool = True

    @property
    def key_text(self) -> str:
        """The key as shown."""
        return self.shown_as or self.keys[0]


ACTIONS: tuple[Action, ...] = (
    Action("show('run')", ("1",), "Run", "the run: alive, how far, trustworthy", in_footer=False),
    Action("show('hang')", ("2",), "Hang", "the finding: cause, chain of waits, evidence", in_footer=False),
    Action("show('scores')", ("3",), "Scores", "every run's scores and what they may claim", in_footer=False),
    Action("show('rerun')", ("4",), "Rerun", "plan, preflight, launch and proofs of a rerun", in_footer=False),
    Action("show('log')", ("5",), "Log", "the run's log: all of it, filtered and searched", in_footer=False),
    Action("plan_rerun", ("r",), "rerun", "plan the rerun of the final score, or of the selected one", changes=True),
    Action(
        "stop_run",
        ("X",),
        "stop",
        "what of a hung run would be stopped, and what is lost; typed words stop it",
        views=("hang", "rerun"),
        changes=True,
        in_footer=False,
    ),
    Action(
        "bundle",
        ("b",),
        "bundle",
        "show where the bundle of the finding lies, and its report",
        views=("run", "hang", "rerun", "log"),
    ),
    Action(
        "filter",
        ("slash",),
        "filter",
        "a regular expression: lines or runs that match",
        views=("log", "scores"),
        shown_as="/",
    ),
    Action(
        "only", ("f",), "only/all", "show only the lines that match, or all with the matches marked", views=("log",)
    ),
    Action(
        "next",
        ("n",),
        "next",
        "log: to the next match; hang: the evidence of the chain's next link",
        views=("log", "hang"),
    ),
    Action(
        "previous",
        ("N",),
        "previous",
        "log: to the match before; hang: the link before",
        views=("log", "hang"),
        in_footer=False,
    ),
    Action(
        "previous_run",
        ("left_square_bracket",),
        "newer run",
        "look at the run above in the list of runs",
        in_footer=False,
        shown_as="[",
    ),
    Action(
        "next_run",
        ("right_square_bracket",),
        "older run",
        "look at the run below in the list of runs",
        in_footer=False,
        shown_as="]",
    ),
    Action("open_run", ("enter",), "open", "look at the selected run", views=("scores",), shown_as="⏎"),
    Action("sort", ("o",), "sort", "order the runs: newest, name, best score, worst standing", views=("scores",)),
    Action("evidence", ("e",), "why", "all that is known of the selected score, with its evidence", views=("scores",)),
    Action("compare", ("c",), "compare", "which comparisons with the selected score hold", views=("scores",)),
    Action("up", ("up", "k"), "up", "one line or row up", shown_as="↑ k", in_footer=False),
    Action("down", ("down", "j"), "down", "one line or row down", shown_as="↓ j", in_footer=False),
    Action("page_up", ("pageup", "ctrl+b"), "page up", "one page up", shown_as="PgUp", in_footer=False),
    Action(
        "page_down", ("pagedown", "ctrl+f", "space"), "page down", "one page down", shown_as="PgDn", in_footer=False
    ),
    Action("half_up", ("ctrl+u",), "half up", "half a page up", shown_as="Ctrl+U", in_footer=False),
    Action("half_down", ("ctrl+d",), "half down", "half a page down", shown_as="Ctrl+D", in_footer=False),
    Action("top", ("home", "g"), "top", "to the start", shown_as="Home g", in_footer=False),
    Action("bottom", ("end", "G"), "bottom", "to the end; the log follows again", shown_as="End G", in_footer=False),
    Action("save", ("s",), "save", "save this screen as SVG and as text", in_footer=False),
    Action("theme", ("t",), "colours", "the next theme: dark, light, colour-blind, ansi, none", in_footer=False),
    Action("leave", ("escape",), "back", "leave what is open, then back to the run", shown_as="Esc"),
    Action("help", ("question_mark",), "help", "all keys", shown_as="?"),
    Action("quit", ("q", "ctrl+c"), "quit", "leave; the watch and the run go on", shown_as="q"),
)


def actions(*, read_only: bool) -> tuple[Action, ...]:
    """The actions there are."""
    return tuple(action for action in ACTIONS if not (read_only and action.changes))


def footer(view: str, *, read_only: bool) -> tuple[Action, ...]:
    """The actions of the footer in a view."""
    return tuple(
        action
        for action in actions(read_only=read_only)
        if action.in_footer
        and (not action.views or view in action.views)
        and not (action.name == "leave" and view == "run")
    )
