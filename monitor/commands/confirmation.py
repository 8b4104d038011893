"""Typed words before an action that uses resources or can't be taken back. Enter alone never confirms."""

from __future__ import annotations

import shlex
import sys

from monitor.commands.attaching import say
from monitor.model.errors import LaststepError


def confirm(
    given: str | None,
    phrase: str,
    *,
    question: str,
    named: str,
    what: str = "a launch",
    option: str = "--confirm",
) -> None:
    """Return where `given`, else what is typed now, is `phrase`; `named` is the phrase as a sentence calls it.

    `what` needs the confirmation, and `option` gives it without a terminal.

    Raises `LaststepError` where it is another word, or where there is no terminal to type it in.
    """
    if given is None:
        if not sys.stdin.isatty():
            raise LaststepError(f"{what} needs a confirmation", f"say {option} {shlex.quote(phrase)}")
        say(question)
        given = input().strip()
    if given != phrase:
        raise LaststepError(f"not confirmed: {given!r} is not {named}")
