"""What matched lines of a console log mean for the attempt they belong to: each kind of mark put into its trace.

One method a kind of mark, by the names in `configs/audit/rules.yaml`. Who may say it was decided before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.audit.overrides import read_command
from monitor.audit.rules import AuditRules
from monitor.audit.trace import MOST_MARKS, EngineCount, QuantizationMark, SeenScore, StepMark, Trace
from monitor.model.audit import AuditEvidence
from monitor.sources.printed_dict import read_dict, read_metrics
from monitor.sources.step_metrics import number

SECONDS_KEY = "timing_s/step:"
_PAIR = re.compile(r"(?:^| - )(val-[^:]*?(?:/[^:]+)?):(\S+)(?= - |$)")
UNMISTAKABLE = ("val_only", "resume_path", "gpus_per_node", "nodes", "most_samples")
MOST_CONFIG_DEPTH = 20
MOST_CONFIG_KEYS = 20_000


def flatten(document: object) -> dict[str, str]:
    """A nested mapping as dotted keys and values as text; lists stay as they are written. Bounded in depth and keys."""
    flat: dict[str, str] = {}
    left: list[tuple[str, object, int]] = [("", document, 0)]
    while left and len(flat) < MOST_CONFIG_KEYS:
        prefix, value, depth = left.pop()
        if isinstance(value, dict) and depth <= MOST_CONFIG_DEPTH:
            inner = list(value.items())[:MOST_CONFIG_KEYS]
            left += [(f"{prefix}.{key}" if prefix else str(key), item, depth + 1) for key, item in inner]
        elif prefix and not isinstance(value, dict):
            flat[prefix] = str(value) if not isinstance(value, (list, tuple)) else _written(value)
    return flat


def _written(values: list[object] | tuple[object, ...]) -> str:
    """A flat list as text; a nested one is only said to be there."""
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return str([item for item in values[:100] if not isinstance(item, (list, tuple, dict))])


class LineMarks:
    """Fills one trace."""

    def __init__(self, rules: AuditRules, trace: Trace) -> None:
        self._rules = rules
        self.trace = trace
        self._testing: int | None = None

    def finish(self) -> Trace:
        """The trace, its name taken from its configuration."""
        self.trace.name = self.trace.config.get("trainer.experiment_name") or self.trace.name
        return self.trace

    def launch(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The echoed command: overrides and entry point."""
        command = read_command(match.string.lstrip("+ "))
        if command.overrides or self._rules.fit_of(command.entry):
            self.trace.config.update(command.overrides)
            self.trace.entry = command.entry or self.trace.entry
            self.trace.config_seen = self.trace.config_seen or seen

    def started(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """When Ray was started or found."""
        if self.trace.started is None:
            self.trace.started = match["time"].replace("T", " ") + (f" {match['zone']}" if match["zone"] else "")
            self.trace.started_seen = seen

    def total_steps(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The trainer's own count of the steps to come."""
        self.trace.total_steps = int(match["total"]) or None

    def validation_batches(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """Batches of a whole validation."""
        self.trace.batches_expected = int(match["batches"])

    def resumed(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The step whose checkpoint was loaded."""
        self.trace.resumed = StepMark(int(match["step"]), seen)

    def step(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """All metrics of a step; a step told again tells nothing."""
        step, trace = int(match["step"]), self.trace
        if trace.last_step is not None and step <= trace.last_step:
            return
        trace.first_step = step if trace.first_step is None else trace.first_step
        trace.last_step = step
        self._testing = None
        text = match["metrics"]
        if "val-" in text:
            self._scores(step, ((name, value) for name, value in _PAIR.findall(text)), seen)
        at = text.find(SECONDS_KEY)
        seconds = number(text[at + len(SECONDS_KEY) :].partition(" ")[0]) if at >= 0 else None
        if seconds is not None:
            trace.step_seconds.append(seconds)

    def _scores(self, step: int, pairs: object, seen: AuditEvidence, closed: bool = False) -> None:
        for name, text in pairs:  # type: ignore[attr-defined]
            value = number(text)
            if value is not None and self._rules.score_pattern.search(name):
                self.trace.scores.append(SeenScore(step, name, value, seen, closed))

    def validation_begin(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """A batch of a validation is about to be generated."""
        step = int(match["step"])
        self._testing = step
        self.trace.begun.setdefault(step, seen)

    def validation_batch_end(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """A batch of the validation under way ended."""
        step = self._testing
        if step is None:
            resumes = self.trace.resumed is not None and self.trace.last_step is None
            step = self.trace.resumed.step if self.trace.resumed and resumes else self._under_way()
            self._testing = step
        self.trace.batches[step] = self.trace.batches.get(step, 0) + 1
        self.trace.ended[step] = seen

    def save_begin(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """A checkpoint is about to be written."""
        step = int(match["step"])
        if step not in self.trace.saved[-1:]:
            self.trace.saved.append(step)

    def engine_count(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The engine's own count: proof, where a process of the run said it."""
        if self._rules.role_of(actor) not in self._rules.proving_roles:
            self.trace.unprefixed += 1
            return
        named = match.groupdict()
        count = EngineCount(
            int(match["step"]), named.get("format"), match["scheme"], int(match["active"]), int(match["expected"]),
            int(match["calls"]), named.get("fingerprint"), seen,
        )  # fmt: skip
        self.trace.counts.append(count)

    def engine_off(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The engine says that it quantizes nothing."""
        if self._rules.role_of(actor) in self._rules.proving_roles:
            self._keep(self.trace.engine_off, seen)

    def skipped(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """The trainer says that it leaves the final validation out."""
        self._keep(self.trace.skipped, seen)

    def event_loop(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """An error that can kill a weight sync."""
        self._keep(self.trace.loop_errors, seen)

    def failed(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """Something that ends runs."""
        self._keep(self.trace.failures, seen)

    def asked(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """Quantization of the training side."""
        self._intention(self.trace.asked, match, seen)

    def intended(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """Quantization meant for the engine."""
        self._intention(self.trace.intended, match, seen)

    def progress_bar(self, match: re.Match[str], actor: str, seen: AuditEvidence) -> None:
        """Total steps, where nothing else tells them."""
        if self.trace.total_steps is None:
            self.trace.total_steps = int(match["total"]) or None

    def printed_config(self, text: str, seen: AuditEvidence) -> None:
        """The configuration printed whole; another printed dict is none."""
        config = read_dict(text)
        if "trainer" not in config and "*.experiment_name" not in config:
            return
        whole = "trainer" in config
        flat = flatten(config) if whole else _at_their_keys(self._rules, flatten(config))
        self.trace.config = {**flat, **self.trace.config} if not whole else {**self.trace.config, **flat}
        self.trace.whole_config = self.trace.whole_config or whole
        self.trace.config_seen = AuditEvidence("the printed configuration", seen.file, seen.line)

    def printed_metrics(self, final: bool, text: str, seen: AuditEvidence) -> None:
        """Metrics of the validation before training, or those that close the run; `{}` and None are none."""
        metrics = read_metrics(text)
        if final:
            self.trace.final_seen, self.trace.final_empty = seen, not metrics
            latest = max([self.trace.last_step or 0, *self.trace.begun])
            self._scores(latest, metrics.items(), seen, closed=True)
        elif metrics:
            step = self.trace.resumed.step if self.trace.resumed else 0
            self._scores(step, metrics.items(), seen)
        else:
            self.trace.initial_empty = True

    def _keep(self, marks: list[StepMark], seen: AuditEvidence) -> None:
        if len(marks) < MOST_MARKS:
            marks.append(StepMark(self._under_way(), seen))

    def _under_way(self) -> int:
        """The step whose lines are being printed."""
        if self._testing is not None:
            return self._testing
        return 0 if self.trace.last_step is None else self.trace.last_step + 1

    def _intention(self, marks: list[QuantizationMark], match: re.Match[str], seen: AuditEvidence) -> None:
        if len(marks) < MOST_MARKS:
            named = match.groupdict()
            marks.append(QuantizationMark(named.get("format"), named.get("scheme"), seen))


def prefixed_again(rules: AuditRules, attempts: Sequence[LineMarks]) -> LineMarks:
    """One attempt in place of those that were told before the trainer first spoke: only the shell's own lines stay."""
    kept = Trace("console", attempts[-1].trace.file)
    for trace in (marks.trace for marks in attempts):
        kept.config.update(trace.config)
        kept.entry = trace.entry or kept.entry
        kept.config_seen = trace.config_seen or kept.config_seen
        if trace.started is not None:
            kept.started, kept.started_seen = trace.started, trace.started_seen
        kept.failures += trace.failures
        kept.unprefixed += len(trace.scores) + len(trace.skipped) + len(trace.counts)
    return LineMarks(rules, kept)


def _at_their_keys(rules: AuditRules, flat: dict[str, str]) -> dict[str, str]:
    """Keys that were read one by one (`*.test_freq`), put where the trainers keep them.

    Only those whose last name means one thing in a whole configuration: `format` or `weights` do not.
    """
    keys = {key for profile in rules.profiles for key in profile.config_keys.values()}
    keys |= {key for name in UNMISTAKABLE for key in rules.config_keys[name]}
    by_leaf = {key.rpartition(".")[2]: key for key in sorted(keys) if key.startswith(("trainer.", "data."))}
    return {by_leaf[leaf]: value for key, value in flat.items() if (leaf := key.removeprefix("*.")) in by_leaf}
