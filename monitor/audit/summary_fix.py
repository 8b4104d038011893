"""A results document in which each number says its step and what it may claim; the prose around it untouched.

A number is told by the run that its line (or the heading above) names and by a score of that run that it is equal to,
in percent or as a fraction, rounded or not. What it may claim is set right behind it, in brackets. A number of a run
that no log shows is left as it is and listed; so is everything in code blocks. Running it twice changes nothing more.
Pure but for `read_document` and `write_document`; the diff is to be looked at first.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.model.audit import AuditedRun, AuditedScore, Comparison, RunKind
from monitor.model.errors import LaststepError

LARGEST_DOCUMENT = 16 << 20
NEAR = 40
"""Characters before a number in which the words `step 20:` are looked for."""
LONGEST_LINE = 20_000
"""Characters; no person wrote a longer one."""
_NUMBER = re.compile(r"(?<![\w.,/:])(?P<sign>[-+−–]?)(?P<digits>\d{1,3}\.\d{1,6})(?P<unit>[ \u00a0]?%)?(?![\w.]*\w)")
_NOTE = re.compile(r" \((?:step \d+ of (?:\d+|\?)|val_only of step \d+|does not hold)[:;][^()\n]*\)")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s")
_STEP = re.compile(r"(?i)\bstep\s*(\d+)\W{0,6}$")


class NotADocument(LaststepError):
    """A file that can't be rewritten."""

    HELP_TEXT = "give a Markdown or text file, in UTF-8 or another encoding that keeps ASCII"


@dataclass(frozen=True)
class FixedSummary:
    """The document before and after, and what could not be told of it."""

    before: str
    after: str
    marked: int
    """Numbers that say their step and standing."""
    doubts: tuple[str, ...] = ()
    """Sentences about numbers that no log shows, or that the text places at another step."""

    def diff(self, name: str) -> str:
        """The change as a unified diff; empty: there is none."""
        lines = []
        for line in difflib.unified_diff(_lines(self.before), _lines(self.after), f"a/{name}", f"b/{name}"):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
        return "".join(lines)


@dataclass(frozen=True)
class _Known:
    """A score with the run that it is of."""

    run: AuditedRun
    score: AuditedScore


def fix_summary(text: str, runs: Sequence[AuditedRun], comparisons: Sequence[Comparison] = ()) -> FixedSummary:
    """`text` with each score that `runs` know marked, and each difference that does not hold."""
    fixer = _Fixer(runs, comparisons)
    after = "".join(fixer.lines(text))
    return FixedSummary(text, after, fixer.marked, tuple(fixer.doubts))


def _lines(text: str) -> list[str]:
    """Lines with their ends, broken at line feeds alone as `diff` and `patch` do."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


class _Fixer:
    def __init__(self, runs: Sequence[AuditedRun], comparisons: Sequence[Comparison]) -> None:
        self._names: dict[str, list[AuditedRun]] = {}
        for run in runs:
            for name in {run.name, run.label or run.name}:
                self._names.setdefault(name.lower(), []).append(run)
        words = sorted(self._names, key=len, reverse=True)
        pattern = "|".join(map(re.escape, words)) or r"(?!)"
        self._name = re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE)
        self._comparisons = [item for item in comparisons if not item.holds]
        self._labels = {run.name: run.label or run.name for run in runs if run.kind is RunKind.TRAINING}
        self.marked = 0
        self.doubts: list[str] = []

    def lines(self, text: str) -> Iterator[str]:
        """Each line of the document, its end as it is."""
        fenced = False
        above: list[AuditedRun] = []
        for number, line in enumerate(_lines(text), 1):
            if _FENCE.match(line):
                fenced = not fenced
            if len(line) > LONGEST_LINE:
                self.doubts.append(f"line {number}: longer than {LONGEST_LINE} characters; it is left as it is")
            if fenced or _FENCE.match(line) or len(line) > LONGEST_LINE:
                yield line
                continue
            if _HEADING.match(line):
                names = {match.group().lower() for match in self._name.finditer(line)}
                above = self._names[names.pop()] if len(names) == 1 else []
            yield self._line(line, number, above)

    def _line(self, line: str, number: int, above: list[AuditedRun]) -> str:
        bare = _NOTE.sub("", line)
        names = [(match.start(), self._names[match.group().lower()]) for match in self._name.finditer(bare)]
        code = [match.span() for match in _CODE.finditer(bare)]
        out, last = [], 0
        for match in _NUMBER.finditer(bare):
            if any(begin <= match.start() < end for begin, end in code):
                continue
            nearest = [runs for start, runs in names if start < match.start()]
            candidates = nearest[-1] if nearest else (names[0][1] if names else above)
            note = self._difference(match, names) or self._note(
                match, candidates, bare[: match.start()][-NEAR:], number
            )
            if note:
                out += [bare[last : match.end()], f" ({note})"]
                last = match.end()
                self.marked += 1
        return "".join([*out, bare[last:]]) if out else line

    def _note(self, match: re.Match[str], runs: list[AuditedRun], before: str, number: int) -> str:
        if match["sign"] in ("-", "−", "–") or not runs:
            return ""
        told = _STEP.search(before)
        step = int(told.group(1)) if told else None
        found = [known for known in self._scores(runs) if _is_same(match, known.score.value)]
        at_step = [known for known in found if known.score.step == step]
        label = runs[0].label or runs[0].name
        if not found:
            if step is not None or match["unit"]:
                self.doubts.append(f"line {number}: no log shows {match.group()} of {label}; it is left as it is")
            return ""
        known = (at_step or found)[0]
        note = _claim(known)
        if step is not None and not at_step:
            self.doubts.append(f"line {number}: {match.group()} of {label} is of step {known.score.step}, not {step}")
            note += f"; not of step {step}"
        return note

    def _scores(self, runs: list[AuditedRun]) -> Iterator[_Known]:
        ordered = sorted(runs, key=lambda run: run.kind is RunKind.EVALUATION)
        for run in ordered:
            yield from (_Known(run, score) for score in run.scores if score.primary)

    def _difference(self, match: re.Match[str], names: list[tuple[int, list[AuditedRun]]]) -> str:
        """A difference of two runs that the line names, and that can't be told from their scores."""
        here = {run.name for _, runs in names for run in runs}
        if len(here) < 2 or not match["sign"]:
            return ""
        for item in self._comparisons:
            points = round(abs(item.difference) * 100, 6)
            shown = float(match["digits"])
            decimals = len(match["digits"].split(".")[1])
            if {item.left, item.right} <= here and round(points, decimals) == shown:
                hold = f"; the baseline is {self._labels.get(item.baseline, item.baseline)}" if item.baseline else ""
                return f"does not hold; these scores can't be compared{hold}"
        return ""


def _is_same(match: re.Match[str], value: float) -> bool:
    """The number is the score: in percent (its sign, or a number above 1), or as a fraction of 3 decimals or more."""
    shown = float(match["digits"])
    decimals = len(match["digits"].split(".")[1])
    if match["unit"] or shown > 1.0:
        return round(value * 100, decimals) == shown
    return decimals >= 3 and round(value, decimals) == shown


def _claim(known: _Known) -> str:
    """`step 20 of 29: not-final, unproven; the final score is missing`."""
    run, score = known.run, known.score
    words = ", ".join(word.value for word in score.standing) or "unjudged"
    if run.kind is RunKind.EVALUATION:
        return f"val_only of step {score.step}: {words}"
    planned = run.planned_steps if run.planned_steps is not None else "?"
    lacking = ""
    if run.reported_score is score and run.final_score is None and run.planned_steps is not None:
        lacking = "; the final score is missing"
    return f"step {score.step} of {planned}: {words}{lacking}"


def read_document(path: Path) -> str:
    """The document's text; bytes that are no UTF-8 are kept as they are. Raises `NotADocument`."""
    try:
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise NotADocument(f"{path} is larger than any summary ({LARGEST_DOCUMENT >> 20} MiB)")
        content = path.read_bytes()
    except OSError as error:
        raise NotADocument(f"can't read {path}: {error.strerror}") from error
    if b"\0" in content:
        raise NotADocument(f"{path} is no text file")
    return content.decode("utf-8", "surrogateescape")


def write_document(path: Path, fixed: FixedSummary) -> None:
    """Put the document in its place, whole or not at all, only if it is still what was read. Raises `NotADocument`."""
    if read_document(path) != fixed.before:
        raise NotADocument(f"{path} was changed meanwhile; nothing was written", "look at the diff again")
    target = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(fixed.after.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, target.stat().st_mode & 0o7777)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise NotADocument(f"can't write {path}: {error.strerror}; it is as it was") from error
