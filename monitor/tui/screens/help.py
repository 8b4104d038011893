"""Help: every key with what it does, made from the registry; and what the signs mean."""

from __future__ import annotations

from monitor.tui.actions import actions
from monitor.tui.cells import Line, line, rule, span, wrap
from monitor.tui.screens.common import Room
from monitor.tui.theme import SIGNS

MEANINGS = {
    "ok": "fine, proved",
    "warn": "a suspicion, or a claim without proof",
    "bad": "wrong, and proved",
    "unknown": "can't be seen; since when and why is said",
    "info": "a fact",
}


def lines(room: Room, *, read_only: bool) -> list[Line]:
    """The help page."""
    block = [rule("keys", room.width, "Esc closes")]
    for action in actions(read_only=read_only):
        where = f"  (on {', '.join(action.views)})" if action.views else ""
        key = span(f"   {action.key_text:<8}", "key-plain")
        block += wrap(f"{action.help}{where}", room.width - 1, first=(key,), indent=" " * 11)
    block.append(line(span(f"   {'Ctrl+P':<8}", "key-plain"), span("all of these in a palette", "text")))
    if read_only:
        block.append(line(span("   read-only: keys that start something are left out", "dim")))
    block += [(), rule("signs", room.width)]
    block.append(line(*[span(f"   {SIGNS[state]} {meaning}", state) for state, meaning in list(MEANINGS.items())[:3]]))
    block.append(line(*[span(f"   {SIGNS[state]} {meaning}", state) for state, meaning in list(MEANINGS.items())[3:]]))
    return block
