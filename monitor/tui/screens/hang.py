"""The Hang screen: the finding in a sentence, the chain of waits from driver to culprit, the evidence, the way out.

Then the merged stacks of all processes, from the bundle. Without a finding it says what is known instead, and what was
found earlier.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.ledger.rows import FindingRow
from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, VerdictWord, WaitLink
from monitor.tui import summary, wording
from monitor.tui.bundle_stacks import Stacks
from monitor.tui.cells import Line, Span, columns, line, rule, span, wrap
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens import link_evidence, machine_sections
from monitor.tui.screens import stacks as stacks_screen
from monitor.tui.screens.common import Room, empty, sentence
from monitor.tui.sections import pack
from monitor.tui.theme import SIGNS

TWO_COLUMNS = 150


def links(data: ScreenData) -> list[tuple[Finding, WaitLink]]:
    """The links of all chains, in the order of the screen: what may be selected."""
    return [(finding, link) for finding in data.findings_now for link in finding.chain]


def lines(data: ScreenData, room: Room, stacks: Stacks | None = None, chosen: int | None = None) -> list[Line]:
    """All that is known of what holds the run up; longer than the room where there is much: it scrolls.

    `chosen`: the place in `links` of the one whose evidence is open below it.
    """
    if data.live is None:
        return empty(summary.alive(data).sentence, room.width)
    block: list[Line] = [()]
    first = 0
    for finding in data.findings_now:
        here = _Chosen(first, chosen, stacks, data.now)
        block += _finding(finding, data, room.width, here)
        first += len(finding.chain)
    if not data.findings_now:
        block += _nothing(data, room.width)
    block += stacks_screen.lines(stacks, data.live.bundle, data.now, room.width)
    if data.live.bundle:
        block += [rule("bundle", room.width, "b reads its report"), *_plain(data.live.bundle, room.width), ()]
    if data.live.loops:
        loops = machine_sections.loops(data, room.width, rank=0)
        block += [*pack([loops], room.width, loops.full), ()]
    earlier = [row for row in data.findings if row.withdrawn_at is not None]
    if earlier:
        block += [rule("withdrawn: the run moved again", room.width), *(_earlier(row, data.now) for row in earlier)]
    return block


def _nothing(data: ScreenData, width: int) -> list[Line]:
    answer = summary.alive(data)
    block = sentence(answer.state, answer.sentence, width, head=answer.word)
    verdict = data.live.verdict if data.live else None
    if verdict is not None and verdict.word in (VerdictWord.STALL, VerdictWord.UNKNOWN):
        for reason in verdict.reasons[1:]:
            block += sentence("info", reason, width)
    elif answer.state == "ok":
        block += wrap("Nothing holds the run up.", width - 4, "dim", first=(Span("   "),))
    return [*block, ()]


def _finding(finding: Finding, data: ScreenData, width: int, chosen: _Chosen) -> list[Line]:
    found = data.found_at(finding)
    when = f" {wording.ago(data.now - found)}" if found is not None else ""
    word = f"proved{when}" if finding.proved else f"suspected{when}, not proved"
    took = f", {wording.exact(finding.seconds_to_proof)} after the last progress" if finding.seconds_to_proof else ""
    state = "bad" if finding.proved else "warn"
    block = sentence(state, finding.sentence, width, head=finding.hang_class)
    block.append(line(span(f"   {word}{took}", f"{state}-strong")))
    block += _culprit(finding, width)
    if finding.advice:
        block += wrap(finding.advice, width - 2, "ok", first=(span("   so: ", "dim"),), indent="       ")
    block.append(())
    chain = _chain(finding, chosen, width if width < TWO_COLUMNS else width // 2 - 1)
    evidence = _evidence(finding.evidence, data.now, width if width < TWO_COLUMNS else width - width // 2 - 3)
    if width >= TWO_COLUMNS and chain:
        left = width // 2
        return [*block, *columns(chain, evidence, left - 1, width - 1, gap=3)]
    return [*block, *chain, *evidence]


def _culprit(finding: Finding, width: int) -> list[Line]:
    block: list[Line] = []
    culprit = _culprit_text(finding.culprit)
    if culprit:
        block += wrap(culprit, width - 2, "strong", first=(span("   culprit: ", "dim"),), indent="            ")
    if finding.file:
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        block += wrap(place, width - 2, "name", first=(span("   at: ", "dim"),), indent="       ")
    return block


def _culprit_text(culprit: Culprit) -> str:
    parts = []
    if culprit.process:
        parts.append(culprit.process)
    if culprit.pid is not None and str(culprit.pid) not in (culprit.process or ""):
        parts.append(f"pid {culprit.pid}")
    if culprit.actor and culprit.actor not in (culprit.process or ""):
        parts.append(f"actor {culprit.actor}")
    if culprit.task:
        parts.append(f"task {culprit.task}")
    return ", ".join(parts)


BAR = "    │ "
"""Left of what is said between two links of a chain."""


class _Chosen(NamedTuple):
    """Which link is open, and what its evidence is looked up in. `first`: place of the finding's first link."""

    first: int
    place: int | None
    stacks: Stacks | None
    now: float


def _chain(finding: Finding, chosen: _Chosen, width: int) -> list[Line]:
    if not finding.chain:
        return []
    block = [rule("who waits for whom", width, "n opens a link's evidence")]
    previous = ""
    seen: set[str] = set()
    for number, link in enumerate(finding.chain, chosen.first):
        here = number == chosen.place
        rows: list[Line] = []
        if link.waiter != previous:
            rows += wrap(link.waiter, width - 4, "strong", first=(span("   "),), indent="   ")
        mark = span(" ›  │ " if here else BAR, "selected" if here else "dim")
        why = wrap(link.why, width - 10, "text" if here else "dim", first=(mark,), indent=BAR)
        rows += [tuple(part._replace(style="dim") if part.text == BAR else part for part in row) for row in why]
        seen.add(link.waiter)
        again = "  ↺ a cycle" if link.waits_for in seen else ""
        if here:
            rows += link_evidence.lines(link, finding, chosen.stacks, chosen.now, width)
        rows += wrap(f"{link.waits_for}{again}", width - 8, "strong", first=(span("    └▸ ", "bad"),), indent="       ")
        click = f"app.link({number})"
        block += [tuple(part._replace(action=click) for part in row) for row in rows]
        previous = link.waits_for
    return [*block, ()]


def _evidence(evidence: tuple[Evidence, ...], now: float, width: int) -> list[Line]:
    if not evidence:
        return []
    block = [rule("evidence", width)]
    for item in evidence:
        seen = f"  ({wording.ago(now - item.at)})" if item.at else ""
        block += wrap(
            f"{item.what}{seen}", width - 4, "text", first=(span(f" {SIGNS['info']} ", "info"),), indent="   "
        )
        if item.file:
            block += _plain(f"{item.file}:{item.line}" if item.line else item.file, width)
    return [*block, ()]


def _plain(text: str, width: int) -> list[Line]:
    return wrap(text, width - 4, "name", first=(Span("   "),), indent="   ")


def _earlier(row: FindingRow, now: float) -> Line:
    word = "proved" if row.finding.proved else "suspected"
    over = wording.ago(now - row.withdrawn_at) if row.withdrawn_at else "?"
    parts = (
        span(f" {SIGNS['info']} {row.finding.hang_class} ", "text"),
        span(f"{word} {wording.ago(now - row.found_at)}", "dim"),
    )
    return line(*parts, span(f", withdrawn {over}", "dim"))
