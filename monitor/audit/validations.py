"""Which validations of a run were due, and which the evidence shows as executed, skipped or cut off. Pure."""

from __future__ import annotations

from monitor.audit.merging import RunFacts, attributed_scores
from monitor.audit.quantization import look_up
from monitor.audit.rules import AuditRules
from monitor.audit.trace import Trace
from monitor.model.audit import AuditedValidation, AuditEvidence, RunKind

MOST_DUE = 10_000


def whole(text: str | None) -> int | None:
    """A whole number written as text; None for anything else."""
    try:
        return int(str(text))
    except ValueError:
        return None


def planned_steps(trace: Trace) -> int | None:
    """The run's last step: as the trainer counted it, else as it was configured."""
    if trace.total_steps is not None:
        return trace.total_steps
    configured = whole(trace.config.get("trainer.total_training_steps"))
    return configured if configured is not None and configured > 0 else None


def test_frequency(trace: Trace) -> int | None:
    """Steps between validations, as configured."""
    return whole(trace.config.get("trainer.test_freq"))


def reached_step(trace: Trace) -> int | None:
    """The furthest step that shows: logged, or begun to be validated."""
    steps = [trace.last_step, *trace.begun, *(score.step for score in trace.scores if not score.closed), *trace.dumps]
    return max((step for step in steps if step is not None), default=None)


def validates_first(trace: Trace) -> bool | None:
    """Whether step 0 was to be validated."""
    text = trace.config.get("trainer.val_before_train")
    return None if text is None else text.lower() == "true"


def validations_of(
    facts: RunFacts, planned: int | None, whole_rows: int | None, rules: AuditRules
) -> tuple[AuditedValidation, ...]:
    """Validations due and seen, by step."""
    trace = facts.trace
    due = _due(facts, planned)
    scored = {score.step for score in attributed_scores(trace, planned)[0]}
    steps = sorted(due | scored | set(trace.begun) | set(trace.dumps) | {mark.step for mark in trace.skipped})
    return tuple(_validation(facts, step, step in due, planned, scored, whole_rows, rules) for step in steps)


def _due(facts: RunFacts, planned: int | None) -> set[int]:
    trace = facts.trace
    if facts.kind is RunKind.EVALUATION:
        return {trace.resumed.step} if trace.resumed else set()
    frequency = test_frequency(trace)
    due = {0} if validates_first(trace) else set()
    if frequency is None or frequency <= 0 or planned is None:
        return due
    first = frequency if trace.resumed is None else (trace.resumed.step // frequency + 1) * frequency
    due |= set(range(first, planned + 1, frequency)) if planned // frequency <= MOST_DUE else set()
    return due | {planned}


def _validation(
    facts: RunFacts,
    step: int,
    due: bool,
    planned: int | None,
    scored: set[int],
    whole_rows: int | None,
    rules: AuditRules,
) -> AuditedValidation:
    trace = facts.trace
    executed, how, evidence = _execution(trace, step, scored, whole_rows)
    dump = trace.dumps.get(step)
    batches = trace.batches.get(step)
    return AuditedValidation(
        step=step,
        due=due,
        final=step == planned,
        executed=executed,
        how=how,
        rows=dump.rows if dump else None,
        rows_expected=_rows_expected(trace, whole_rows, rules) if dump else None,
        batches=batches,
        batches_expected=trace.batches_expected,
        evidence=evidence,
    )


def _rows_expected(trace: Trace, whole_rows: int | None, rules: AuditRules) -> int | None:
    """Rows of a whole validation: as counted in the validation file, else of the largest dump of the family."""
    counted = whole(look_up(trace.config, ("validation_rows",)))
    known = [rows for rows in (counted, whole_rows) if rows is not None]
    return max(known, default=None)


def _execution(
    trace: Trace, step: int, scored: set[int], whole_rows: int | None
) -> tuple[bool | None, str, tuple[AuditEvidence, ...]]:
    """Whether a validation ran to its end, in a word, and where that is seen."""
    skip = [mark.seen for mark in trace.skipped if mark.step == step]
    begun = [trace.begun[step]] if step in trace.begun else []
    ended = [trace.ended[step]] if step in trace.ended else []
    dump = trace.dumps.get(step)
    if step in scored:
        return True, "executed", tuple([*begun, *ended, *([dump.seen] if dump else [])])
    if dump is not None and whole_rows is not None and dump.rows >= whole_rows:
        return True, "executed, its metrics were never logged", (dump.seen,)
    if skip:
        return False, "skipped", tuple(skip)
    if begun or dump is not None:
        return None, "cut: it began, and its metrics were never logged", tuple([*begun, *([dump.seen] if dump else [])])
    if trace.last_step is not None and step <= trace.last_step and step >= (trace.first_step or 0):
        return False, "not executed: the step's metrics hold no score", ()
    if step == 0 and trace.initial_empty:
        return False, "not executed: the trainer printed no metrics", ()
    if trace.resumed is not None and step <= trace.resumed.step:
        return None, "before the log begins", ()
    return None, "not reached in the evidence", ()
