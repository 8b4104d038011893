"""Traces of one run brought together: attempts, continuations, and the files that tell of the same run. Pure.

Two logs of one name are one run where the later resumed, else two attempts. Metrics files, dumps and checkpoints belong
to the last attempt, because a restart erases or overwrites them; beside several attempts they prove nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor.audit.rules import AuditRules
from monitor.audit.trace import SeenScore, Trace
from monitor.model.audit import RunKind

_ENDINGS = re.compile(r"(?:\.(?:log|out|txt|err|gz|zst|jsonl|\d+))+$")
_CONSOLE_FIRST = ("console", "file_logger", "wandb", "tensorboard", "dump", "checkpoint", "config", "script")
_ASKING = ("config", "script")
"""Sources that tell what was asked for and never that anything ran."""


@dataclass(frozen=True)
class RunFacts:
    """One run's traces as one."""

    name: str
    kind: RunKind
    attempt: int
    trace: Trace
    files: tuple[str, ...]
    sources: tuple[str, ...]
    superseded: bool = False
    """A later attempt of the same name began from the start."""
    shared_files: bool = False
    """Metrics files or dumps are there that several attempts may have written."""


def bring_together(traces: Iterable[Trace], rules: AuditRules) -> list[RunFacts]:
    """Every run that shows in the traces, in order of their names; scores as fractions."""
    traces = list(traces)
    _claim_folders(traces)
    named: dict[str, list[Trace]] = {}
    evaluations: list[tuple[str, Trace]] = []
    asking: dict[str, list[Trace]] = {}
    for trace in traces:
        name = trace.name or stem_of(trace.file)
        if trace.source in _ASKING:
            asking.setdefault(name, []).append(trace)
        elif is_evaluation(trace, rules):
            evaluations.append((name, trace))
        else:
            named.setdefault(name, []).append(trace)
    runs = []
    for name, members in sorted(named.items()):
        runs += _attempts(name, members, asking.get(name, []), rules)
    taken = {run.name for run in runs}
    for name, trace in evaluations:
        own = name if name not in taken else stem_of(trace.file)
        while own in taken:
            own += "+"
        taken.add(own)
        runs.append(RunFacts(own, RunKind.EVALUATION, 0, _as_fractions(trace, rules), (trace.file,), (trace.source,)))
    return runs


def _claim_folders(traces: Sequence[Trace]) -> None:
    """Name dumps and checkpoints after the one run whose configuration writes into their folder."""
    claims: dict[tuple[str, ...], set[str]] = {}
    for trace in traces:
        for key in ("trainer.validation_data_dir", "trainer.default_local_dir"):
            folder = trace.config.get(key)
            if folder and trace.name:
                claims.setdefault(_tail(folder), set()).add(trace.name)
    for trace in traces:
        names = claims.get(_tail(trace.file), set()) if trace.source in ("dump", "checkpoint") else set()
        if len(names) == 1:
            trace.name = next(iter(names))


def _tail(path: str) -> tuple[str, ...]:
    """The last two parts of a path: what is left of it when a folder of results was copied elsewhere."""
    return tuple(part for part in path.split("/") if part not in ("", "."))[-2:]


def stem_of(file: str) -> str:
    """A file's name without its endings."""
    return _ENDINGS.sub("", os.path.basename(file)) or os.path.basename(file)


def is_evaluation(trace: Trace, rules: AuditRules) -> bool:
    """True where the trace is of a checkpoint scored by itself."""
    return any(trace.config.get(key, "").lower() == "true" for key in rules.config_keys["val_only"])


def _attempts(name: str, members: Sequence[Trace], asking: Sequence[Trace], rules: AuditRules) -> list[RunFacts]:
    consoles = [trace for trace in members if trace.source == "console"]
    others = [trace for trace in members if trace.source != "console"]
    consoles.sort(key=lambda trace: (trace.started or "", trace.file))
    groups: list[list[Trace]] = []
    for trace in consoles:
        if groups and _continues(groups[-1][-1], trace):
            groups[-1].append(trace)
        else:
            groups.append([trace])
    groups = groups or [[]]
    several = len(groups) > 1
    runs = []
    for number, group in enumerate(groups):
        last = number == len(groups) - 1
        mine = [*group, *(others if last and not several else _unproving(others) if last else [])]
        merged = merge([_as_fractions(trace, rules) for trace in [*mine, *asking]])
        files = tuple(dict.fromkeys(trace.file for trace in mine))
        own = name if last else f"{name}#{number + 1}"
        sources = tuple(dict.fromkeys(trace.source for trace in mine))
        if not any(trace.tells for trace in mine):
            continue
        runs.append(
            RunFacts(own, RunKind.TRAINING, number, merged, files, sources, not last, several and bool(others) and last)
        )
    return runs


def _unproving(others: Sequence[Trace]) -> list[Trace]:
    """Files that several attempts may have written: their checkpoints stand, their metrics and rows do not count."""
    return [replace(trace, scores=[], dumps={}, counts=[]) for trace in others]


def _continues(before: Trace, after: Trace) -> bool:
    """True where `after` resumed what `before` had reached."""
    if after.resumed is not None and after.resumed.step > 0:
        return True
    return (after.first_step or 0) > 1 and (before.last_step or 0) <= (after.first_step or 0)


def _as_fractions(trace: Trace, rules: AuditRules) -> Trace:
    """The trace with shares that were written in percent as fractions."""
    largest: dict[str, float] = {}
    for score in trace.scores:
        largest[score.metric] = max(largest.get(score.metric, 0.0), score.value)
    percent = {name for name, value in largest.items() if 1.0 < value <= 100.0 and rules.is_share(name)}
    if not percent:
        return trace
    scores = [replace(score, value=score.value / 100) if score.metric in percent else score for score in trace.scores]
    return replace(trace, scores=scores)


def merge(traces: Sequence[Trace]) -> Trace:
    """One trace of several; where two tell one thing, the console's word stands, of consoles the later one's."""
    ordered = sorted(traces, key=lambda trace: _CONSOLE_FIRST.index(trace.source))
    first = ordered[0]
    merged = Trace("merged", first.file, first.name)
    for trace in reversed(ordered):
        merged.config = {**merged.config, **trace.config}
    for trace in ordered:
        _take_in(merged, trace)
    return merged


def _take_in(merged: Trace, trace: Trace) -> None:
    for name in ("config_seen", "entry", "started", "started_seen", "started_at", "total_steps", "batches_expected"):
        if getattr(merged, name) is None:
            setattr(merged, name, getattr(trace, name))
    merged.whole_config = merged.whole_config or trace.whole_config
    merged.seconds = _sum(merged.seconds, trace.seconds)
    merged.actors |= trace.actors
    merged.resumed = trace.resumed or merged.resumed
    merged.last_step = max((step for step in (merged.last_step, trace.last_step) if step is not None), default=None)
    merged.first_step = min((step for step in (merged.first_step, trace.first_step) if step is not None), default=None)
    if trace.source == "console" or not merged.step_seconds:
        merged.step_seconds = merged.step_seconds + trace.step_seconds
    for name in ("scores", "skipped", "counts", "engine_off", "asked", "intended", "loop_errors", "failures", "saved"):
        setattr(merged, name, [*getattr(merged, name), *getattr(trace, name)])
    for name in ("begun", "batches", "ended", "dumps", "checkpoints"):
        setattr(merged, name, {**getattr(merged, name), **getattr(trace, name)})
    if trace.final_seen is not None:
        merged.final_seen, merged.final_empty = trace.final_seen, trace.final_empty
    merged.initial_empty = merged.initial_empty or trace.initial_empty
    merged.unprefixed += trace.unprefixed
    merged.last_line = max(merged.last_line, trace.last_line)
    merged.notes += [note for note in trace.notes if note not in merged.notes]


def _sum(first: float | None, second: float | None) -> float | None:
    return second if first is None else first if second is None else first + second


def attributed_scores(trace: Trace, planned: int | None) -> tuple[list[SeenScore], list[str]]:
    """Scores with the step that each is of; what the closing metrics tell is dropped where no validation stands behind.

    A trainer may print the last validation's metrics again at its end, whatever step that one was of.
    """
    open_scores = [score for score in trace.scores if not score.closed]
    told = {(score.step, score.metric) for score in open_scores}
    kept, notes = list(open_scores), []
    for score in trace.scores:
        if not score.closed:
            continue
        if (
            planned is not None
            and score.step == planned
            and (planned in trace.begun or (planned, score.metric) in told)
        ):
            kept.append(score)
        elif (score.step, score.metric) not in told:
            notes.append(
                f"the closing metrics show {score.metric} = {score.value:g}, and no validation of the last step stands "
                f"behind them (line {score.seen.line}): not counted"
            )
    return kept, notes
