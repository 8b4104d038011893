"""What the console tells of validations: their begin, their end, their rows, and how many of them are done.

A trainer may print a line before each batch of a validation (verl's legacy one), or none at all (V1): then a validation
that is due begins where the step's weights reached the engine. The base of `console_lines.py`, which reads the lines.
"""

from __future__ import annotations

import re
from typing import Any

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_standing import Standing
from monitor.sources.trainer_profile import TrainerProfile

SOURCE = "console"


class ConsoleValidations:
    """Handlers of the lines that concern validations."""

    def __init__(self, profile: TrainerProfile, path: str) -> None:
        self.profile = profile
        self._path = path
        self._now = Standing()

    def _fact(
        self, kind: FactKind, at: float, evidence: Evidence, step: int | None, phase: str | None, **data: Any
    ) -> Fact:
        return Fact(kind, SOURCE, at, step, phase, data, evidence)

    def _testing_end(self, step: int, at: float, evidence: Evidence) -> Fact:
        seconds = at - self._now.tested[step]
        data = {"seconds": seconds} if seconds > 0 else {}
        return self._fact(FactKind.PHASE_END, at, evidence, step, self.profile.testing_phase, **data)

    def _validation_begin(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        step = int(match["step"]) if "step" in match.re.groupindex else self._newest_step()
        self._now.batch_open = True
        if step in self._now.tested:
            return []
        self._now.tested[step] = at
        self._now.testing = step
        self._now.batches_done = 0
        begun = self._fact(FactKind.PHASE_BEGIN, at, evidence, step, self.profile.testing_phase)
        return [*self._order_seen(step, at, evidence), begun]

    def _newest_step(self) -> int:
        """The step told last, or the one after the bar's count: 0 before any of them."""
        highest = self._now.steps.highest()
        if highest is not None:
            return highest
        return 0 if self._now.bar is None else self._now.bar + 1

    def _order_seen(self, step: int, at: float, evidence: Evidence) -> list[Fact]:
        """Where a save of this step is due, the line of it stands either before the validation's first line or not."""
        due = step > 0 and bool(self._now.save_freq and self._now.save_freq > 0)
        due = due and (step == self._now.total_steps or step % (self._now.save_freq or 1) == 0)
        if step in self._now.saved:
            order = "save-first"
        elif due:
            order = "validate-first"
        else:
            return []
        if order == self._now.save_order:
            return []
        self._now.save_order = order
        return [self._fact(FactKind.RUN_CONFIG, at, evidence, None, None, save_order=order)]

    def _validation_batch_end(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        standing = self._now
        if standing.testing is None or not standing.batch_open:
            return []
        standing.batch_open = False
        standing.batches_done += 1
        done = self._samples_done()
        if done is None:
            return [self._fact(FactKind.CALLS_MOVED, at, evidence, standing.testing, None, finished=1)]
        data = {"done": done, "total": standing.total_rows}
        return [self._fact(FactKind.SAMPLES, at, evidence, standing.testing, self.profile.testing_phase, **data)]

    def _samples_done(self) -> int | None:
        """Samples of the batches that ended; None where a batch's size is not known."""
        standing = self._now
        if standing.total_rows is not None and standing.batches_done == standing.batches_total:
            return standing.total_rows
        if standing.batch_rows is None:
            return None
        done = standing.batches_done * standing.batch_rows
        return done if standing.total_rows is None else min(done, standing.total_rows)

    def _validation_batches(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        self._now.batches_total = int(match["batches"])
        return self._validation_rows(self._now.dataset_rows, at, evidence)

    def _dataset_rows(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        self._now.dataset_rows = int(match["rows"])
        return []

    def _validation_prompts(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        return self._validation_rows(int(match["rows"]), at, evidence)

    def _validation_rows(self, prompts: int | None, at: float, evidence: Evidence) -> list[Fact]:
        """What the trainer counted itself, its filters applied, goes before what the file holds."""
        each, most = self._now.samples_each, self._now.most_prompts
        if prompts is None or each is None:
            return []
        prompts = prompts if most is None else min(prompts, most)
        if prompts * each == self._now.total_rows:
            return []
        self._now.total_rows = prompts * each
        return [self._fact(FactKind.RUN_CONFIG, at, evidence, None, None, validation_rows=prompts * each)]

    def _weights_synced(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        """The step under way took its weights: next comes a validation that is due and has no line of its own."""
        now = self._now
        if self.profile.console.validation_begin or now.samples_each is None:
            return []
        reached = now.steps.highest(now.bar)
        step = 0 if reached is None else reached + 1
        if step in now.tested or not self._validation_due(step):
            return []
        now.tested[step] = at
        now.testing = step
        begun = self._fact(FactKind.PHASE_BEGIN, at, evidence, step, self.profile.testing_phase)
        return [*self._order_seen(step, at, evidence), begun]

    def _validation_due(self, step: int) -> bool:
        """As verl decides it: before training by a flag of its own, else by frequency, and always at the last step."""
        now = self._now
        if step == 0:
            return bool(now.validate_before_train)
        return bool(now.test_freq and now.test_freq > 0) and (
            step == now.total_steps or step % (now.test_freq or 1) == 0
        )

    def _rollout_counts(self, match: re.Match[str], at: float, evidence: Evidence, process: str) -> list[Fact]:
        counts = {name: int(match[name]) for name in ("pending", "running", "finished", "failed")}
        done, prompts = counts["finished"] + counts["failed"], sum(counts.values())
        if self._now.testing is None or done == self._now.prompts_done:
            return []
        self._now.prompts_done = done
        each = self._now.samples_each or 1
        data = {"done": done * each, "total": self._now.total_rows or prompts * each}
        return [self._fact(FactKind.SAMPLES, at, evidence, self._now.testing, self.profile.testing_phase, **data)]
