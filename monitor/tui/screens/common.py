"""What all screens share: the room they have, the head with its tabs and banner, state words, sentences with a sign."""

from __future__ import annotations

from typing import NamedTuple

from monitor.model.finding import VerdictWord
from monitor.model.reading import Unknown
from monitor.model.score import Standing
from monitor.tui import summary, wording
from monitor.tui.actions import ACTIONS, VIEWS, Action
from monitor.tui.cells import Line, Span, line, span, width_of, wrap
from monitor.tui.screen_data import ScreenData
from monitor.tui.theme import SIGNS

BANNERS = {
    VerdictWord.HEALTHY: ("ok", "HEALTHY"),
    VerdictWord.STALL: ("warn", "STALL"),
    VerdictWord.HANG: ("bad", "HANG"),
    VerdictWord.UNKNOWN: ("unknown", "UNKNOWN"),
    VerdictWord.ENDED: ("info", "ENDED"),
}

STANDING_STATES = {
    Standing.VALID: "ok",
    Standing.NOT_FINAL: "info",
    Standing.MISSING_FINAL: "bad",
    Standing.NOT_QUANTIZED: "bad",
    Standing.STALE_WEIGHTS: "bad",
    Standing.UNPROVEN: "warn",
    Standing.PARTIAL: "warn",
}


class Room(NamedTuple):
    """Cells there are for a screen's body."""

    width: int
    height: int


def tabs(data: ScreenData, view: str, width: int, rerun_note: str = "") -> Line:
    """The first row: the screens by their keys, and whether anyone watches."""
    notes = {"hang": " ✗" if data.findings_now else "", "rerun": rerun_note}
    parts = [Span(" laststep ", "band-strong")]
    by_view = dict(zip(VIEWS, ACTIONS))
    for name in VIEWS:
        action = by_view[name]
        left, right, look = ("[", "]", "tab-here") if name == view else (" ", " ", "tab")
        label = f"{left}{action.keys[0]} {action.label}{notes.get(name, '')}{right}"
        parts.append(Span(label, look, _click(action)))
    watching = summary.watch(data)
    look = {"ok": "band-ok", "bad": "band-bad", "info": "band-dim"}.get(watching.state, "band-warn")
    told = Span(f"{SIGNS[watching.state]} {watching.word} ", look)
    gap = width - width_of(tuple(parts)) - width_of((told,))
    return (*parts, Span(" " * max(gap, 1), "band"), told)


def _click(action: Action) -> str:
    return f"app.{action.name}" if "(" in action.name else f"app.{action.name}()"


def banner(data: ScreenData, width: int) -> Line:
    """The second row: the verdict in one word, and of which run."""
    answer = summary.alive(data)
    state, word = answer.state, answer.word.upper()
    if data.live is not None and answer.word != "unknown":
        state, word = BANNERS[data.live.verdict.word]
        state = answer.state if data.live.verdict.word is VerdictWord.ENDED else state
    parts: list[Span | str] = [" ", span(f" {SIGNS[state]} {word} ", f"banner-{state}"), " "]
    if data.run:
        parts.append(span(data.run, "strong"))
    far = summary.far(data)
    parts += ["  ", span(far.word, "number")]
    live = data.live
    if live is not None and width >= 100:
        parts.append(span(f"  {live.run.trainer}, began {wording.clock(live.run.started_at, data.now)}", "dim"))
    if live is not None and width >= 140 and live.cluster.gcs_address:
        parts.append(span(f", Ray {live.cluster.gcs_address}", "dim"))
    return line(*parts)


def sentence(state: str, text: str, width: int, *, head: str = "", rows: int = 0) -> list[Line]:
    """A sign and a sentence, wrapped under each other; at most `rows` lines where given."""
    sign = span(f" {SIGNS[state]} ", state)
    first: Line = (
        (sign, span(head, f"{state}-strong" if state in ("ok", "warn", "bad", "unknown") else "strong"))
        if head
        else (sign,)
    )
    if head:
        first = (*first, Span("  "))
    lines = wrap(text, width - 1, indent="   ", first=first)
    if rows and len(lines) > rows:
        last = lines[rows - 1]
        lines = [*lines[: rows - 1], (*last[:-1], last[-1]._replace(text=last[-1].text[: width - 6] + " …"))]
    return lines


def unknown(item: Unknown, now: float, width: int) -> list[Line]:
    """`? gpus: unknown, since 14 s, because …; cure`."""
    cure = f" — {item.cure}" if item.cure else ""
    text = f"unknown, since {wording.age(now - item.since)}, because {item.because}{cure}"
    return sentence("unknown", text, width, head=item.what)


def standing_spans(standing: tuple[Standing, ...]) -> list[Span]:
    """Standings with their signs."""
    if not standing:
        return [span("? unjudged", "unknown")]
    spans: list[Span] = []
    for word in standing:
        state = STANDING_STATES[word]
        spans.append(span(f"{' ' if spans else ''}{SIGNS[state]} {word.value}", state))
    return spans


def empty(text: str, width: int) -> list[Line]:
    """What a screen says where there is nothing to show."""
    return [(), *wrap(text, width - 4, "dim", first=(Span("  "),), indent="  ")]
