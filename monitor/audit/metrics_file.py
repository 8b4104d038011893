"""A file logger's JSONL (`{"step": N, "data": {…}}` a line) as a trace. Lines without a score are not parsed whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from monitor.audit.byte_stream import text_chunks
from monitor.audit.rules import AuditRules
from monitor.audit.trace import SeenScore, Trace
from monitor.model.audit import AuditEvidence, FileProblem
from monitor.sources.log_tail import LONGEST_LINE
from monitor.sources.step_metrics import number

_STEP = re.compile(rb'^\s*\{\s*"step":\s*(\d+)\s*,\s*"data":')
_SECONDS = re.compile(rb'"timing_s/step":\s*([\d.eE+-]+)')


def read_metrics_file(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace; none where the file is another kind of JSONL. Raises `NotText`."""
    trace = Trace("file_logger", str(path), path.name.removesuffix(".jsonl"))
    bad = 0
    for line_number, line in _lines(path):
        match = _STEP.match(line)
        if match is None:
            if trace.last_step is None:
                return [], []
            bad += 1
            continue
        step = int(match.group(1))
        if trace.last_step is not None and step < trace.last_step:
            trace.notes.append(f"its steps begin again at line {line_number}: more than one attempt wrote it")
        trace.first_step = step if trace.first_step is None else trace.first_step
        trace.last_step = max(step, trace.last_step or 0)
        seconds = _SECONDS.search(line)
        told = number(seconds.group(1).decode()) if seconds else None
        if told is not None:
            trace.step_seconds.append(told)
        if b'"val-' in line:
            bad += not _put_scores(trace, rules, step, line, line_number)
    problems = [FileProblem(str(path), f"{bad} lines are no metrics of a step: left out")] if bad else []
    return ([trace] if trace.tells else []), problems


def _put_scores(trace: Trace, rules: AuditRules, step: int, line: bytes, line_number: int) -> bool:
    try:
        data = json.loads(line)["data"]
        pairs = [(str(name), number(value)) for name, value in data.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    seen = AuditEvidence(f"metrics of step {step}", trace.file, line_number)
    for name, value in pairs:
        if value is not None and rules.score_pattern.search(name):
            trace.scores.append(SeenScore(step, name, value, seen))
    return True


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of one longer than `LONGEST_LINE` the beginning."""
    rest, line_number = b"", 0
    for chunk in text_chunks(path):
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()[:LONGEST_LINE]
        for piece in pieces:
            line_number += 1
            if piece.strip():
                yield line_number, piece[:LONGEST_LINE]
    if rest.strip():
        yield line_number + 1, rest
