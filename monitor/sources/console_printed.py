"""What a trainer prints over several lines: its configuration, which begins an attempt, and a validation's metrics.

Here it is decided whose configuration was printed (`console_writers.py`) and what then counts of the log. The base of
`console_lines.py`, which reads the lines. Does no I/O but counting the rows of the validation file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_standing import Standing
from monitor.sources.console_validations import SOURCE, ConsoleValidations
from monitor.sources.console_writers import CURE, OwnRun, Whose, Writers, process_key
from monitor.sources.printed_config import config_fields, most_prompts, reading_value
from monitor.sources.printed_dict import PrintedDict, read_dict, read_metrics
from monitor.sources.step_metrics import score_facts
from monitor.sources.trainer_profile import TrainerProfile

CONFIG, INITIAL, FINAL = "config", "initial", "final"


class ConsolePrinted(ConsoleValidations):
    """Reads printed dicts into facts."""

    def __init__(self, profile: TrainerProfile, path: str, base: Path | None = None, own: OwnRun | None = None) -> None:
        super().__init__(profile, path)
        self.printed_config: dict[str, Any] | None = None
        """The whole configuration as it was printed last."""
        self.attempts = 0
        """Configurations printed so far: the second one begins another run in the same file."""
        self.mixed = False
        """Lines of two runs stand between each other, and none says whose it is: nothing more is told of the log."""
        self._writers = Writers(own or OwnRun())
        self._base = base
        self._printed: dict[str, PrintedDict] = {}
        self._beside_told: set[str] = set()

    def _mix(self, words: str, at: float, evidence: Evidence) -> list[Fact]:
        """From this line on nothing of the log can be attributed."""
        self.mixed = True
        text = (
            f"two runs write into this log at once ({words}): from line {evidence.line} on, which steps, phases, "
            f"samples and scores are this run's is not known, and none is taken from it; {CURE}"
        )
        return [self._fact(FactKind.NOTICE, at, evidence, None, None, text=text)]

    def _another_writes(self, process: str, number: int, at: float) -> list[Fact]:
        """Said once a process of another run that writes while ours does."""
        key = process_key(process)
        if key in self._beside_told or not self._writers.beside(process):
            return []
        self._beside_told.add(key)
        text = f"another run writes into this log too: lines of its process ({process}) are not counted; {CURE}"
        evidence = Evidence(text[:200], self._path, number, at)
        return [self._fact(FactKind.NOTICE, at, evidence, None, None, text=text)]

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
            return self._config(printed.text, process, at, evidence)
        return self._metrics(printed.kind, printed.text, at, evidence)

    def _config(self, text: str, process: str, at: float, evidence: Evidence) -> list[Fact]:
        config = read_dict(text)
        experiment = self.profile.config_keys.get("experiment", "").rpartition(".")[2]
        if self.profile.config_marker not in config and f"*.{experiment}" not in config:
            return []
        fields = config_fields(config, self.profile, self._base)
        whose = self._writers.configuration(fields.get("experiment"), process, self._now)
        if whose is Whose.OTHER:
            return []
        if whose is Whose.MIXED:
            words = f"the configuration of another experiment, {fields.get('experiment')}, stands below this run's own"
            return self._mix(words, at, evidence)
        self._now = Standing()
        self.attempts += 1
        if whose is Whose.EARLIER:
            return []
        self.printed_config = config
        self._begin_attempt(config, fields)
        where = Evidence("the printed configuration", self._path, evidence.line, at)
        facts = [self._fact(FactKind.RUN_CONFIG, at, where, None, None, **fields)]
        if self._writers.scores_unsure:
            text = (
                "an earlier experiment in this log was not seen to end, and no line names its process: whose scores "
                f"the log tells is not known, so none is taken from it; {CURE}"
            )
            facts.append(self._fact(FactKind.NOTICE, at, where, None, None, text=text))
        frequency = self._now.test_freq
        if frequency is not None and frequency <= 0:
            text = f"no final validation is due: the run's test_freq is {frequency}"
            facts.append(self._fact(FactKind.NOTICE, at, where, None, None, text=text))
        return facts

    def _begin_attempt(self, config: dict[str, Any], fields: dict[str, Any]) -> None:
        """What reading this attempt's lines needs of its configuration."""
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

    def _metrics(self, kind: str, text: str, at: float, evidence: Evidence) -> list[Fact]:
        if kind in self._now.metrics_told:
            return []
        self._now.metrics_told.add(kind)
        final = kind == FINAL
        step = self._now.steps.highest(*self._now.tested) if final else 0
        metrics = read_metrics(text)
        if step is None or not metrics:
            words = f"the trainer printed no {kind} validation metrics"
            return [self._fact(FactKind.NOTICE, at, evidence, step, None, text=words)]
        facts: list[Fact] = []
        if step in self._now.tested and step not in self._now.steps:
            facts.append(self._testing_end(step, at, evidence))
            self._now.testing = None
        return self._untold(facts + score_facts(step, metrics, self.profile, SOURCE, at, evidence))

    def _untold(self, facts: list[Fact]) -> list[Fact]:
        """Without scores and ends of validations that were told before, and scores that may be another run's."""
        kept = []
        for fact in facts:
            if fact.kind is FactKind.SCORE and self._writers.scores_unsure:
                continue
            if fact.kind is FactKind.SCORE or fact.phase == self.profile.testing_phase:
                key = (fact.kind, fact.step, str(fact.data.get("metric", "")))
                if key in self._now.told:
                    continue
                self._now.told.add(key)
            kept.append(fact)
        return kept
