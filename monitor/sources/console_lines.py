"""What lines of a trainer's console mean: a state machine over clean lines, by the trainer's profile.

Every thing is told once: a repeated line, a redrawn bar or a batch that "ends" twice gives no second fact. The phase
`testing` begins with the first batch of a step's validation; whether the last checkpoint is written before or after it
is seen in the order of the lines. Does no I/O but counting the rows of the validation file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_printed import CONFIG, ConsolePrinted
from monitor.sources.console_validations import SOURCE
from monitor.sources.console_writers import OwnRun, contradicts, follows
from monitor.sources.log_tail import LogLine
from monitor.sources.printed_dict import PrintedDict, line_metrics
from monitor.sources.step_metrics import score_facts, step_facts
from monitor.sources.trainer_profile import TrainerProfile

MOST_NOTICES = 200
MOST_COMPARED = 64
"""Steps of which the metrics are kept, to notice a second run that tells the same step."""
MOST_PRINTING = 64
"""Processes that print a dict over several lines at the same time."""
_PREFIX = re.compile(r"^\s*\((?P<process>[^()]*\bpid=\d+[^()]*)\) ?")


class ConsoleLines(ConsolePrinted):
    """Reads clean lines, one at a time, into facts."""

    def __init__(self, profile: TrainerProfile, path: str, base: Path | None = None, own: OwnRun | None = None) -> None:
        super().__init__(profile, path, base, own)
        self._handlers = self._build_handlers()

    def read(self, line: LogLine, at: float) -> list[Fact]:
        """Facts of one line."""
        if self.mixed:
            return []
        prefix = _PREFIX.match(line.text)
        process = prefix.group("process") if prefix else ""
        text = line.text[prefix.end() :] if prefix else line.text
        counts = self._writers.counts(process)
        facts = [] if counts else self._another_writes(process, line.number, at)
        printed = self._printed.get(process)
        # Torn by Ray, a configuration's nested dict may begin a line of its own.
        if printed is not None and not printed.hopeless and self._printed_kind(text) in ("", printed.kind):
            if printed.takes(text):
                return facts + (self._finish_printed(process, at) if printed.add(text) else [])
            return facts + (self._match(text, process, line.number, at) if counts else [])
        if printed is not None:
            facts += self._finish_printed(process, at)
        kind = self._printed_kind(text)
        # Of a process that doesn't count only a configuration is read: it may be a restarted run's.
        if ((counts and kind) or kind == CONFIG) and len(self._printed) < MOST_PRINTING:
            self._printed[process] = PrintedDict(kind, line.number)
            return facts + (self._finish_printed(process, at) if self._printed[process].add(text) else [])
        return facts + (self._match(text, process, line.number, at) if counts else [])

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[None]:
        """Lines read meanwhile stand in another file of the same process."""
        before, self._path = self._path, path
        try:
            yield
        finally:
            self._path = before

    def _build_handlers(self) -> list[tuple[re.Pattern[str], Callable[..., list[Fact]]]]:
        console = self.profile.console
        pairs: list[tuple[str, Callable[..., list[Fact]]]] = [
            (console.step, self._step),
            (console.validation_begin, self._validation_begin),
            (console.validation_metrics, self._validation_metrics),
            (console.validation_batch_end, self._validation_batch_end),
            (console.save_begin, self._save_begin),
            (console.attested, self._attested),
            (console.dumped, self._dumped),
            (console.total_steps, self._total_steps),
            (console.validation_batches, self._validation_batches),
            (console.dataset_rows, self._dataset_rows),
            (console.validation_prompts, self._validation_prompts),
            (console.weights_synced, self._weights_synced),
            (console.rollout_counts, self._rollout_counts),
            (console.resumed, self._resumed),
            (console.progress_bar, self._progress_bar),
            *((notice, self._notice) for notice in console.notices),
        ]
        return [(re.compile(pattern), handler) for pattern, handler in pairs if pattern]

    def _match(self, text: str, process: str, number: int, at: float) -> list[Fact]:
        stripped = text.strip()
        for pattern, handler in self._handlers:
            match = pattern.search(stripped)
            if match is not None:
                evidence = Evidence(stripped[:200], self._path, number, at)
                if self._writers.strict and handler != self._resumed and not self._follows(match):
                    return self._mix(f"step {match['step']} does not follow what stands above it", at, evidence)
                return handler(match, at, evidence, process)
        return []

    def _follows(self, match: re.Match[str]) -> bool:
        if "step" not in match.re.groupindex:
            return True
        return follows(int(match["step"]), self._now, resumes_told=bool(self.profile.console.resumed))

    def _step(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step = int(match["step"])
        metrics = line_metrics(match["metrics"])
        told = self._now.metrics
        # A trainer that prints its configuration is told apart by it, and may well log a step several times.
        alone = self._writers.strict or not self.profile.config_marker
        if alone and contradicts(told.get((process, step)), metrics):
            return self._mix(f"step {step} is told twice, with other values", at, evidence)
        told[(process, step)] = {**told.get((process, step), {}), **metrics}
        if len(told) > MOST_COMPARED:
            del told[next(iter(told))]
        if step in self._now.steps or not metrics:
            return []
        self._now.steps.add(step)
        facts = step_facts(step, metrics, self.profile, SOURCE, at, evidence)
        scored = any(fact.kind is FactKind.SCORE for fact in facts)
        timed = any(fact.phase == self.profile.testing_phase for fact in facts)
        if scored and not timed and step in self._now.tested:
            facts.insert(0, self._testing_end(step, at, evidence))
        if self._now.testing is not None and self._now.testing <= step:
            self._now.testing = None
        return self._untold(facts)

    def _validation_metrics(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step = int(match["step"])
        facts = score_facts(step, line_metrics(match["metrics"]), self.profile, SOURCE, at, evidence)
        if facts and step in self._now.tested:
            facts.insert(0, self._testing_end(step, at, evidence))
            self._now.testing = None
        return self._untold(facts)

    def _save_begin(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step = int(match["step"])
        if step in self._now.saved:
            return []
        self._now.saved.add(step)
        return [self._fact(FactKind.PHASE_BEGIN, at, evidence, step, self.profile.save_phase)]

    def _attested(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step, fingerprint = int(match["step"]), match["fingerprint"]
        if (step, process, fingerprint) in self._now.attested:
            return []
        self._now.attested.add((step, process, fingerprint))
        data = {
            "scheme": match["scheme"],
            "active_layers": int(match["active"]),
            "expected_layers": int(match["expected"]),
            "calls": int(match["calls"]),
            "weights_fingerprint": fingerprint,
            "weights_step": step,
        }
        return [self._fact(FactKind.ATTESTED, at, evidence, step, None, **data)]

    def _dumped(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        """A dump inside a validation tells its folder; a training dump is written outside of one."""
        folder = str(Path(match["path"].strip()).parent)
        # A trainer that dumps in the background may write a training dump inside a validation: the configuration,
        # where it was read, has said which folder is which.
        if self._now.testing is None or self._now.configured or not Path(folder).is_absolute():
            return []
        self._now.validation_data_dir = folder
        return [self._fact(FactKind.RUN_CONFIG, at, evidence, None, None, validation_data_dir=folder)]

    def _total_steps(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        return self._total(int(match["total"]), at, evidence)

    def _total(self, total: int, at: float, evidence: Evidence) -> list[Fact]:
        if total == self._now.total_steps or total <= 0:
            return []
        self._now.total_steps = total
        return [self._fact(FactKind.RUN_CONFIG, at, evidence, None, None, total_steps=total)]

    def _resumed(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        self._now.resumed = int(match["step"])
        return self._notice(match, at, evidence, process)

    def _progress_bar(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        done = int(match["done"])
        highest = self._now.steps.highest()
        if self._writers.strict and highest is not None and done > highest + 1:
            return []
        facts = self._total(int(match["total"]), at, evidence) if self._now.total_steps is None else []
        before, self._now.bar = self._now.bar, max(done, self._now.bar or 0)
        if before is None or done <= before or (highest is not None and highest >= done):
            return facts
        return [*facts, self._fact(FactKind.STEP_END, at, evidence, done, None, metrics={})]

    def _notice(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        text = re.sub(r"\d+", "N", evidence.what)
        if text in self._now.notices or len(self._now.notices) >= MOST_NOTICES:
            return []
        self._now.notices.add(text)
        return [self._fact(FactKind.NOTICE, at, evidence, None, None, text=evidence.what)]
