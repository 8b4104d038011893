"""A console log, old and whole, as one trace for each attempt that it holds.

A line counts by who said it: once the trainer is known to speak through Ray's prefix, a line without it (an echoed
script, a heredoc, a pasted log) tells nothing of steps, scores or validations, and nothing without the prefix ever
proves what an engine ran. Two trainers that write into one log are told apart by their pids. Does not judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from monitor.audit.line_marks import LineMarks, prefixed_again
from monitor.audit.marked_lines import TORN
from monitor.audit.overrides import read_command
from monitor.audit.rules import AuditRules
from monitor.audit.trace import Trace
from monitor.model.audit import AuditEvidence
from monitor.sources.printed_dict import MOST_LINES, PrintedDict

LONGEST_QUOTE = 200
"""Characters of a line that evidence keeps."""
_PREFIX = re.compile(r"^\s*\((?P<actor>[\w.:-]+)[^()]*\bpid=(?P<pid>\d+(?:, ip=[\w.:]+)?)[^()]*\) ?")
_WHOLE_EVEN_IF_TORN = ("step", "engine_count", "engine_off", "skipped", "event_loop", "failed", "validation_batch_end")
"""What a last line without its end still tells: its pattern ends in words, or its numbers are checked one by one."""
_SAID_WITHOUT_PREFIX = ("launch", "started", "failed", "progress_bar")
"""The shell and the driver say these themselves; a bar is only asked for its total."""
_CONTINUES = (" ", "{", "(", "}", '"', "'", ":", ",")
"""What a line of a printed value begins with, also where Ray broke a line that was written in pieces."""
CONFIG, INITIAL, FINAL = "config", "initial", "final"
MOST_ATTEMPTS = 1000


class ConsoleLog:
    """Takes marked lines in order; `traces` once the log has ended."""

    def __init__(self, rules: AuditRules, file: str) -> None:
        self._rules = rules
        self._file = file
        self._now = LineMarks(rules, Trace("console", file))
        self._attempts = [self._now]
        self._by_pid: dict[str, LineMarks] = {}
        self._printed: dict[str, tuple[PrintedDict, str]] = {}
        self._prefixed = False
        self._interleaved = False
        self._handlers = self._build_handlers()

    def take(self, number: int, text: str) -> bool:
        """One clean line; True where the next one is wanted whatever it holds."""
        prefix = _PREFIX.match(text)
        actor, pid = (prefix["actor"], prefix["pid"]) if prefix else ("", "")
        body = text[prefix.end() :] if prefix else text
        stripped = body.strip()
        seen = AuditEvidence(stripped[:LONGEST_QUOTE], self._file, number)
        open_print = self._printed.get(pid)
        if open_print is not None and number - open_print[0].line_number > MOST_LINES:
            self._finish_printed(pid)
            open_print = None
        continues = not stripped or body.startswith(_CONTINUES)
        if open_print is not None and continues and not open_print[0].hopeless:
            if open_print[0].add(body.removesuffix(TORN)):
                self._finish_printed(pid, closed=True)
            return bool(self._printed)
        if open_print is not None:
            self._finish_printed(pid)
        self._route(actor, pid)
        kind = _printed_kind(stripped)
        if kind:
            self._printed[pid] = (PrintedDict(kind, number), stripped[:LONGEST_QUOTE])
            if self._printed[pid][0].add(body.removesuffix(TORN)):
                self._finish_printed(pid, closed=True)
        else:
            self._match(stripped, actor, seen)
        return bool(self._printed)

    def traces(self, last_line: int) -> list[Trace]:
        """One trace an attempt that shows a run. The log is over: what is open is closed."""
        for pid in list(self._printed):
            self._finish_printed(pid)
        found = []
        for marks in self._attempts:
            trace = marks.finish()
            trace.last_line = last_line
            if self._interleaved and trace.counts:
                trace.counts = []
                trace.notes.append("two trainers write into one log: whose engine counted can't be told")
            if trace.tells or trace.config:
                found.append(trace)
        return found

    def _build_handlers(self) -> list[tuple[str, re.Pattern[str]]]:
        order = (
            "step", "progress_bar", "validation_begin", "validation_batch_end", "engine_count", "engine_off", "skipped",
            "total_steps",
            "validation_batches", "resumed", "save_begin", "launch", "started", "asked", "intended", "event_loop",
            "failed",
        )  # fmt: skip
        return [(name, pattern) for name in order for pattern in self._rules.compiled.get(name, ())]

    def _match(self, text: str, actor: str, seen: AuditEvidence) -> None:
        for name, pattern in self._handlers:
            match = pattern.search(text)
            if match is None:
                continue
            if not actor and self._prefixed and name not in _SAID_WITHOUT_PREFIX:
                self._now.trace.unprefixed += 1
                return
            if text.endswith(TORN) and name not in _WHOLE_EVEN_IF_TORN:
                return
            if name == "launch" and not self._launches(text):
                return
            if self._begins_anew(name, match):
                self._by_pid.clear()
                self._new_attempt()
            handler: Callable[[re.Match[str], str, AuditEvidence], None] = getattr(self._now, name)
            handler(match, actor, seen)
            return

    def _route(self, actor: str, pid: str) -> None:
        """Turn to the attempt of the trainer that speaks."""
        if not actor or self._rules.role_of(actor) != "trainer":
            return
        if not self._prefixed:
            self._prefixed = True
            self._now = prefixed_again(self._rules, self._attempts)
            self._attempts = [self._now]
        known = self._by_pid.get(pid)
        if known is None:
            if self._by_pid:
                self._new_attempt()
            self._by_pid[pid] = self._now
        elif known is not self._now:
            self._interleaved = True
            self._now = known
        self._now.trace.actors.add(actor)

    def _launches(self, text: str) -> bool:
        """True where an echoed command starts a trainer: one that sets overrides, or a module that is known."""
        command = read_command(text.lstrip("+ "))
        return bool(command.overrides) or self._rules.fit_of(command.entry) is not None

    def _begins_anew(self, name: str, match: re.Match[str] | None = None) -> bool:
        """True for a line of a run's begin where a run is under way: another attempt."""
        trace = self._now.trace
        if name == "step" and match is not None:
            return int(match["step"]) <= 1 and (trace.last_step or 0) > 1
        if name == "total_steps":
            return trace.last_step is not None and trace.total_steps is not None
        if name not in ("launch", "started", CONFIG):
            return False
        launched_again = name == "launch" and trace.entry is not None and trace.total_steps is not None
        return trace.last_step is not None or bool(trace.begun or trace.scores) or launched_again

    def _new_attempt(self) -> None:
        if len(self._attempts) < MOST_ATTEMPTS:
            self._now = LineMarks(self._rules, Trace("console", self._file))
            self._attempts.append(self._now)

    def _finish_printed(self, pid: str, closed: bool = False) -> None:
        printed, quote = self._printed.pop(pid)
        seen = AuditEvidence(quote, self._file, printed.line_number)
        if not pid and self._prefixed:
            self._now.trace.unprefixed += 1
        elif printed.kind == CONFIG:
            if self._now.trace.whole_config and self._begins_anew(CONFIG):
                self._by_pid.clear()
                self._new_attempt()
            self._now.printed_config(printed.text, seen)
        else:
            self._now.printed_metrics(printed.kind == FINAL, printed.text if closed else "", seen)


def _printed_kind(text: str) -> str:
    """What a line begins to print, maybe over several lines; empty: nothing."""
    if text.startswith("{'"):
        return CONFIG
    head = text[:60].lstrip("(\"'")
    if head.startswith("Initial validation metrics"):
        return INITIAL
    return FINAL if head.startswith("Final validation metrics") else ""
