"""One console log read from disk into traces: the byte stream, the marked lines and their meaning put together."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from monitor.audit.byte_stream import NotText, text_chunks
from monitor.audit.console_log import ConsoleLog
from monitor.audit.marked_lines import MarkedLines
from monitor.audit.rules import AuditRules
from monitor.audit.trace import Trace
from monitor.model.audit import FileProblem

_TIME = re.compile(
    rb"(?m)^(?:\x1b\[\d+m)?(?:\([^()\r\n]{1,120}\)[^\d\r\n]{0,10})?\W?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)"
)
_ENDS = 16 << 10
"""Bytes at both ends of a log in which its first and last timestamps are looked for."""
LONGEST_RUN = 400 * 86400.0


def read_log(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """Every attempt in the log, and what could not be read of it."""
    log = ConsoleLog(rules, str(path))
    lines = MarkedLines(rules.heads, rules.find, log.take)
    problems = []
    head = tail = b""
    try:
        for chunk in text_chunks(path):
            head = head or chunk[:_ENDS]
            tail = (tail + chunk)[-_ENDS:] if len(chunk) < _ENDS else chunk[-_ENDS:]
            lines.feed(chunk)
    except NotText as error:
        problems.append(FileProblem(str(path), str(error), error.HELP_TEXT))
    lines.finish()
    if lines.cut:
        words = f"{lines.cut} lines are longer than a mebibyte: only their beginnings were read"
        problems.append(FileProblem(str(path), words))
    traces = log.traces(lines.number - 1)
    if len(traces) == 1:
        traces[0].seconds = seconds_between(head, tail)
    return traces, problems


def seconds_between(head: bytes, tail: bytes) -> float | None:
    """From the first timestamp of `head` to the last of `tail`; None where there are none, or they make no sense."""
    first, last = _TIME.search(head), _TIME.findall(tail)
    if first is None or not last:
        return None
    try:
        began = datetime.datetime.fromisoformat(first.group(1).decode())
        ended = datetime.datetime.fromisoformat(last[-1].decode())
    except ValueError:
        return None
    seconds = (ended - began).total_seconds()
    return seconds if 0 < seconds <= LONGEST_RUN else None
