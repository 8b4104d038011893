"""A suspect commit, as it was found, made into the window that the audit reports: dates, effect, doubts. Pure."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace

from monitor.audit.commit_dates import bound
from monitor.audit.git_log import Commit, Line
from monitor.audit.source_states import Spell
from monitor.audit.suspect_commits import Suspicion
from monitor.audit.validation_source import Effect, SourceWords
from monitor.model.audit import AuditEvidence, SkipWindow

APART_SECONDS = 60.0
"""A commit written so much earlier than it was committed may have run before it came to lie in this history."""
UNKNOWN_SINCE = 0.0
"""`SkipWindow.since` where its begin isn't known: it may always have been so."""

EFFECTS = {
    Effect.SKIPS: "on the last step no validation is called",
    Effect.ONLY_MULTIPLES: "the last step is validated only where the frequency divides it",
}


@dataclass(frozen=True)
class Found:
    """One finding of the search, however it was made."""

    began: Commit
    ended: Commit | None
    file: str
    effect: str
    line: int | None = None
    fit: str | None = None
    quoted: str = ""
    gone: bool = False
    side: tuple[Commit, ...] = ()

    @classmethod
    def of_spell(cls, spell: Spell, side: list[Commit]) -> Found:
        """Found by what the source does."""
        effect, method = EFFECTS[spell.place.effect], spell.place.function
        return cls(
            spell.began, spell.ended, spell.file, f"in {method}: {effect}", spell.place.line, method,
            gone=spell.gone, side=tuple(side),
        )  # fmt: skip

    @classmethod
    def of_suspicion(cls, suspicion: Suspicion) -> Found:
        """Found by words, or given."""
        why = "it was named" if suspicion.given else "its words say that a validation is skipped"
        quoted = suspicion.lines[0] if suspicion.lines else ""
        return cls(
            suspicion.commit, suspicion.ended, suspicion.file, f"{why}; what its code does is not told", quoted=quoted
        )


def window_of(line: Line, found: Found, words: SourceWords, now: float) -> SkipWindow:
    """The window of `found` along `line`."""
    places = line.places()
    notes: list[str] = []
    index = places.get(found.began.sha)
    cut = index == 0 and line.first_is_cut
    since = bound(line.commits, index, now, begins=True) if index is not None else None
    began = since.at if since is not None else found.began.committed_at
    if cut:
        began = None
        notes.append("it was so in the oldest commit of this shallow clone: it may have begun earlier")
    notes += [since.note] if since is not None and since.note else []
    until, how = _end(line, found, words, now, notes)
    notes += _doubts(line, found)
    return SkipWindow(
        commit=found.began.sha,
        subject=found.began.subject,
        authored_at=iso(found.began.authored_at, found.began.utc_offset),
        since=UNKNOWN_SINCE if began is None else began,
        until=until,
        reverted_by=found.ended.sha if found.ended else None,
        reverted_subject=found.ended.subject if found.ended else None,
        effect=f"{found.effect}{how}",
        fit=found.fit,
        evidence=_evidence(found),
        notes=tuple(notes),
    )


def _end(line: Line, found: Found, words: SourceWords, now: float, notes: list[str]) -> tuple[float | None, str]:
    if found.ended is None:
        tip = f"the tip of {line.branch}" if line.branch else "the checkout's last commit"
        return None, f"; still so at {tip}"
    index = line.places().get(found.ended.sha)
    until = bound(line.commits, index, now, begins=False) if index is not None else None
    if until is not None and until.note:
        notes.append(until.note)
    named = re.search(words.reverting_body, found.ended.body)
    reverted = re.search(words.reverting_subject, found.ended.subject) or named
    how = "its file or method went" if found.gone else ("reverted" if reverted else "taken back")
    return (until.at if until is not None else found.ended.committed_at), f"; {how} by {found.ended.short}"


def _doubts(line: Line, found: Found) -> list[str]:
    notes = []
    if line.branch:
        notes.append(f"it lies on {line.branch}, not in the checkout's own line: who ran that had it")
    if found.began.committed_at - found.began.authored_at > APART_SECONDS:
        written = iso(found.began.authored_at, found.began.utc_offset)
        notes.append(f"it was written at {written}, before it came to lie here: its author may have run it since then")
    for commit in found.side:
        notes.append(
            f"merged in: {commit.short} ({commit.subject}) of {iso(commit.authored_at, commit.utc_offset)}; "
            "its branch had it from then on"
        )
    return notes


def _evidence(found: Found) -> tuple[AuditEvidence, ...]:
    said = f"commit {found.began.short} ({found.began.subject}): {found.effect}"
    if found.quoted:
        said += f"; it adds `{found.quoted}`"
    shown = [AuditEvidence(said, found.file, found.line)]
    if found.ended is not None:
        shown.append(AuditEvidence(f"commit {found.ended.short} ({found.ended.subject}) ends it", found.file))
    return tuple(shown)


def iso(at: float, utc_offset: int) -> str:
    """ISO 8601 with the committer's own offset; `unknown` for a date that no calendar has."""
    try:
        zone = datetime.timezone(datetime.timedelta(minutes=utc_offset))
        return datetime.datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "unknown"


def with_runs(window: SkipWindow, names: tuple[str, ...]) -> SkipWindow:
    """The window with the runs that started inside it."""
    return replace(window, runs=names)
