"""The guard: a run without its final validation can't look complete.

Follows, in the trainer's process, weight updates and validations as they are executed, and at the end of training says
whether the final validation ran, over all its rows, with the last weights. It says so in a GUARD event, and in one line
on stderr where it did not. Pure bookkeeping but for `speak`; who calls it is `frameworks/training.py`.
"""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass

from trainer_hooks import recorder

EXECUTED = "executed"
MISSING = "missing"
PARTIAL = "partial"
STALE_WEIGHTS = "stale-weights"
UNPROVEN = "unproven"

GUARD = "guard"
LOUD = frozenset({MISSING, PARTIAL, STALE_WEIGHTS})
"""Verdicts that a person must see."""


@dataclass(frozen=True)
class GuardVerdict:
    """What the guard found, and why."""

    final_validation: str
    reason: str


@dataclass
class ValidationRecord:
    """One validation as it was executed."""

    step: int
    weights: int
    """Which weights the engine held when it began: the number of trainings that had reached it."""
    rows_expected: int | None = None
    rows: int | None = None
    ended: bool = False
    failed: str = ""
    weights_changed: bool = False
    """Newer weights reached the engine while it ran."""


class FinalValidation:
    """Bookkeeping of one training in this process."""

    def __init__(self, total_steps: int | None = None, validation_off: str = "") -> None:
        self.total_steps = total_steps
        self.validation_off = validation_off
        """Why the configuration asks for no validation; empty where it asks for one."""
        self.last_step: int | None = None
        self.validations: list[ValidationRecord] = []
        self.spoken = False
        self._trained = 0
        self._in_engine: int | None = None
        self._trained_step: int | None = None

    def step_reached(self, step: int) -> None:
        """Training is at `step`."""
        self.last_step = step if self.last_step is None else max(step, self.last_step)

    def weights_trained(self, step: int) -> None:
        """The trainer's weights changed."""
        self._trained += 1
        self._trained_step = step
        self.step_reached(step)

    def weights_loaded(self, step: int) -> None:
        """A checkpoint's weights took the place of the trainer's: the engine has them once they are sent."""
        self.weights_trained(step)

    def syncs_are_seen(self) -> None:
        """Every sending of weights is observed: the engine holds what it was started with until one is."""
        if self._in_engine is None:
            self._in_engine = 0

    def weights_sent(self) -> None:
        """The engine took the trainer's weights."""
        if self.validations and not self.validations[-1].ended and self.validations[-1].weights != self._trained:
            self.validations[-1].weights_changed = True
        self._in_engine = self._trained

    def validation_began(self, step: int, rows_expected: int | None = None) -> None:
        """A validation begins. The engine counts as holding the newest weights where weight updates can't be seen."""
        weights = self._trained if self._in_engine is None else self._in_engine
        self.validations.append(ValidationRecord(step, weights, rows_expected))

    def rows_seen(self, rows: int) -> None:
        """The validation under way gave this many rows."""
        if self.validations and not self.validations[-1].ended:
            self.validations[-1].rows = rows

    def validation_ended(self, failed: str = "") -> None:
        """The validation under way ended, with an exception of this name where it failed."""
        if self.validations:
            self.validations[-1].ended = True
            self.validations[-1].failed = failed

    def verdict(self, failed: str = "") -> GuardVerdict:
        """Was the final validation executed, in full, after the last weight update? `failed`: training's exception."""
        final = self.total_steps if self.total_steps is not None else self.last_step
        if final is None:
            return GuardVerdict(UNPROVEN, "the run's last step is not known")
        # The newest one: what was validated before the last training of the same step is superseded.
        last = next((record for record in reversed(self.validations) if record.step == final), None)
        if last is None:
            return GuardVerdict(MISSING, self._why_missing(final, failed))
        if not last.ended or last.failed:
            how = f"failed with {last.failed}" if last.failed else "began and did not end"
            return GuardVerdict(MISSING, f"the validation of the last step, {final}, {how}")
        if last.weights_changed:
            reason = f"weights reached the engine while the validation of the last step, {final}, ran"
            return GuardVerdict(UNPROVEN, reason)
        if last.weights != self._trained:
            unsent = "and no weights were sent to the engine"
            when = "before the last weight update reached the engine" if last.weights else unsent
            reason = f"the validation of the last step, {final}, ran {when}"
            return GuardVerdict(STALE_WEIGHTS, reason)
        if last.rows is None or last.rows_expected is None:
            reason = f"the validation of the last step, {final}, ended; whether it covered every row is not known"
            return GuardVerdict(UNPROVEN, reason)
        if last.rows < last.rows_expected:
            reason = f"the validation of the last step, {final}, gave {last.rows} of {last.rows_expected} rows"
            return GuardVerdict(PARTIAL, reason)
        return GuardVerdict(EXECUTED, f"all {last.rows} rows at step {final}, after the last weight update")

    def _why_missing(self, final: int, failed: str) -> str:
        reached = self.last_step if self.last_step is not None else 0
        if failed:
            return f"training ended with {failed} at step {reached} of {final}, before the validation of the last step"
        if reached < final:
            return f"training ended at step {reached} of {final}, so the validation of the last step never came"
        if self.validation_off:
            return f"no validation ran at the last step, {final}: {self.validation_off}"
        validated = [record.step for record in self.validations if record.ended and not record.failed]
        seen = f"the last one ran at step {validated[-1]}" if validated else "none ran at all"
        return f"no validation ran at the last step, {final}; {seen}"

    def speak(self, failed: str = "") -> GuardVerdict | None:
        """Say once, as an event and where needed on stderr, how the run ended."""
        if self.spoken:
            return None
        self.spoken = True
        verdict = self.verdict(failed)
        recorder.get().event(
            GUARD,
            step=self.last_step,
            final_validation=verdict.final_validation,
            reason=verdict.reason,
            rows=self.validations[-1].rows if self.validations else None,
        )
        if verdict.final_validation in LOUD:
            say(f"laststep: this run ends without a final validation that stands: {verdict.reason}")
        return verdict


def say(line: str) -> None:
    """One line on stderr; nothing where it can't be written at once (a full pipe would block the trainer)."""
    try:
        sys.stderr.flush()
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        descriptor = 2
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if poll.poll(0):
            os.write(descriptor, (line + "\n").encode("utf-8", "replace"))
    except OSError as error:
        recorder.get().failed("say", error)
