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
from typing import Any

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_standing import Standing
from monitor.sources.console_validations import SOURCE, ConsoleValidations
from monitor.sources.log_tail import LogLine
from monitor.sources.printed_config import config_fields, most_prompts, reading_value
from monitor.sources.printed_dict import PrintedDict, line_metrics, read_dict, read_metrics
from monitor.sources.step_metrics import score_facts, step_facts
from monitor.sources.trainer_profile import TrainerProfile

MOST_NOTICES = 200
MOST_PRINTING = 64
"""Processes that print a dict over several lines at the same time."""
CONFIG, INITIAL, FINAL = "config", "initial", "final"
_PREFIX = re.compile(r"^\s*\((?P<process>[^()]*\bpid=\d+[^()]*)\) ?")


class ConsoleLines(ConsoleValidations):
    """Reads clean lines, one at a time, into facts."""

    def __init__(self, profile: TrainerProfile, path: str, base: Path | None = None) -> None:
        super().__init__(profile, path)
        self.printed_config: dict[str, Any] | None = None
        """The whole configuration as it was printed last."""
        self.attempts = 0
        """Configurations printed so far: the second one begins another run in the same file."""
        self._base = base
        self._printed: dict[str, PrintedDict] = {}
        self._handlers = self._build_handlers()

    def read(self, line: LogLine, at: float) -> list[Fact]:
        """Facts of one line."""
        prefix = _PREFIX.match(line.text)
        process = prefix.group("process") if prefix else ""
        text = line.text[prefix.end() :] if prefix else line.text
        facts: list[Fact] = []
        printed = self._printed.get(process)
        # Torn by Ray, a configuration's nested dict may begin a line of its own.
        if printed is not None and not printed.hopeless and self._printed_kind(text) in ("", printed.kind):
            if printed.takes(text):
                return self._finish_printed(process, at) if printed.add(text) else []
            return self._match(text, process, line.number, at)
        if printed is not None:
            facts = self._finish_printed(process, at)
        kind = self._printed_kind(text)
        if kind and len(self._printed) < MOST_PRINTING:
            self._printed[process] = PrintedDict(kind, line.number)
            return facts + (self._finish_printed(process, at) if self._printed[process].add(text) else [])
        return facts + self._match(text, process, line.number, at)

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
                return handler(match, at, evidence, process)
        return []

    def _step(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step = int(match["step"])
        metrics = line_metrics(match["metrics"])
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

    def _untold(self, facts: list[Fact]) -> list[Fact]:
        """Without scores and ends of validations that were told before."""
        kept = []
        for fact in facts:
            if fact.kind is FactKind.SCORE or fact.phase == self.profile.testing_phase:
                key = (fact.kind, fact.step, str(fact.data.get("metric", "")))
                if key in self._now.told:
                    continue
                self._now.told.add(key)
            kept.append(fact)
        return kept

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
        return self._notice(match, at, evidence, process)

    def _progress_bar(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        done = int(match["done"])
        facts = self._total(int(match["total"]), at, evidence) if self._now.total_steps is None else []
        before, self._now.bar = self._now.bar, max(done, self._now.bar or 0)
        if before is None or done <= before or any(step >= done for step in self._now.steps):
            return facts
        return [*facts, self._fact(FactKind.STEP_END, at, evidence, done, None, metrics={})]

    def _notice(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        text = re.sub(r"\d+", "N", evidence.what)
        if text in self._now.notices or len(self._now.notices) >= MOST_NOTICES:
            return []
        self._now.notices.add(text)
        return [self._fact(FactKind.NOTICE, at, evidence, None, None, text=evidence.what)]

    def _printed_kind(self, text: str) -> str:
        """What a line begins to print over several lines; empty: nothing."""
        console = self.profile.console
        if text.startswith("{'") and self.profile.config_marker:
            return CONFIG
        if console.initial_metrics and console.initial_metrics in text[:80]:
            return INITIAL
        return FINAL if console.final_metrics and console.final_metrics in text[:80] else ""

    def _finish_printed(self, process: str, at: float) -> list[Fact]:
        printed = self._printed.pop(process)
        evidence = Evidence(" ".join(printed.text.split())[:200], self._path, printed.line_number, at)
        if printed.kind == CONFIG:
            return self._config(printed.text, at, evidence)
        return self._metrics(printed.kind, printed.text, at, evidence)

    def _config(self, text: str, at: float, evidence: Evidence) -> list[Fact]:
        config = read_dict(text)
        experiment = self.profile.config_keys.get("experiment", "").rpartition(".")[2]
        if self.profile.config_marker not in config and f"*.{experiment}" not in config:
            return []
        self._now = Standing()
        self.attempts += 1
        self.printed_config = config
        fields = config_fields(config, self.profile, self._base)
        rows, each = (
            reading_value(config, self.profile, name) for name in ("validation_batch_size", "validation_samples_each")
        )
        self._now.most_prompts = most_prompts(config, self.profile)
        self._now.samples_each = each if isinstance(each, int) and each > 0 else 1
        if isinstance(rows, int) and not isinstance(rows, bool):
            self._now.batch_rows = rows * self._now.samples_each
        self._now.total_rows = fields.get("validation_rows")
        self._now.total_steps = fields.get("total_steps")
        self._now.save_freq = fields.get("save_freq")
        self._now.test_freq = fields.get("test_freq")
        self._now.validate_before_train = fields.get("validate_before_train")
        self._now.configured = True
        self._now.validation_data_dir = fields.get("validation_data_dir")
        where = Evidence("the printed configuration", self._path, evidence.line, at)
        facts = [self._fact(FactKind.RUN_CONFIG, at, where, None, None, **fields)]
        frequency = self._now.test_freq
        if frequency is not None and frequency <= 0:
            text = f"no final validation is due: the run's test_freq is {frequency}"
            facts.append(self._fact(FactKind.NOTICE, at, where, None, None, text=text))
        return facts

    def _metrics(self, kind: str, text: str, at: float, evidence: Evidence) -> list[Fact]:
        if kind in self._now.metrics_told:
            return []
        self._now.metrics_told.add(kind)
        final = kind == FINAL
        step = max([*self._now.steps, *self._now.tested], default=None) if final else 0
        metrics = read_metrics(text)
        if step is None or not metrics:
            words = f"the trainer printed no {kind} validation metrics"
            return [self._fact(FactKind.NOTICE, at, evidence, step, None, text=words)]
        facts: list[Fact] = []
        if step in self._now.tested and step not in self._now.steps:
            facts.append(self._testing_end(step, at, evidence))
            self._now.testing = None
        return self._untold(facts + score_facts(step, metrics, self.profile, SOURCE, at, evidence))
