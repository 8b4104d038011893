"""The audit from end to end: take inventory, read, bring together, judge, compare, say what follows.

I/O stands in `reading` and `git_history`; what is concluded is made by pure functions of the other modules.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.audit.actions import actions_for
from monitor.audit.asked_files import read_text
from monitor.audit.byte_stream import NotText
from monitor.audit.cost import cost_of
from monitor.audit.git_history import places_inside, read_history
from monitor.audit.inventory import Inventory, take_inventory
from monitor.audit.judging import Family
from monitor.audit.merging import RunFacts, attributed_scores, bring_together
from monitor.audit.quantization import NONE, asked_for
from monitor.audit.reading import read_all
from monitor.audit.rules import AuditRules, load_rules
from monitor.audit.scripts import Script, judge_scripts
from monitor.audit.summary_fix import fix_summary, read_document
from monitor.audit.validations import planned_steps, whole
from monitor.audit.verdicts import checkpoint_of, judge_run
from monitor.audit.zones import Zone, zone_of_offset
from monitor.ledger.comparisons import of_audited, reported_comparisons
from monitor.model.audit import Action, Audit, AuditedRun, Comparison, FileProblem, RunKind, ScriptVerdict, SkipWindow
from monitor.model.errors import LaststepError
from monitor.sources.printed_config import count_rows

MOST_DOCUMENTS = 100
SAMPLES_EACH = "actor_rollout_ref.rollout.val_kwargs.n"
"""Configuration key: samples of one prompt in a validation."""


@dataclass(frozen=True)
class AuditOptions:
    """What to audit, and how."""

    paths: tuple[Path, ...]
    repositories: tuple[Path, ...] = ()
    """Trainer repositories besides those found under the paths."""
    suspects: tuple[str, ...] = ()
    """Commits to suspect whatever they do."""
    since: float | None = None
    """Runs that started before (UTC seconds) are left out; of unknown start they stay."""
    zone: Zone | None = None
    minutes_per_run: float | None = None
    """What a run took, where the logs' own times don't tell."""
    gpus: int | None = None
    """GPUs of a run, where no configuration tells."""
    workers: int = 2
    rules_file: Path | None = None


def audit(options: AuditOptions) -> Audit:
    """The whole conclusion. Never raises for what the files hold."""
    rules = load_rules(options.rules_file)
    inventory = take_inventory(options.paths)
    _take_scripts(inventory, options.repositories)
    traces, problems = read_all(inventory, options.workers, options.rules_file)
    windows, offset, said = _histories([*options.repositories, *inventory.repositories], options.suspects)
    problems += said
    zone = options.zone or zone_of_offset(offset)
    facts = bring_together(traces, rules)
    runs = judge_all(facts, rules, zone, windows)
    if options.since is not None:
        runs = [run for run in runs if run.started_at is None or run.started_at >= options.since]
    starts = [(run.name, run.started_at) for run in runs if run.kind is RunKind.TRAINING]
    windows = [replace(window, runs=places_inside(window, starts)) for window in windows]
    scripts = _scripts(inventory, runs)
    comparisons = reported_comparisons([item for run in runs if (item := of_audited(run)) is not None])
    return Audit(
        runs=tuple(runs),
        comparisons=comparisons,
        windows=tuple(windows),
        scripts=scripts,
        actions=(*actions_for(runs, scripts, windows), *_summaries(inventory, runs, comparisons)),
        cost=cost_of(runs, options.minutes_per_run, options.gpus),
        problems=tuple(dict.fromkeys(problems)),
        testimony=tuple(str(path) for path in inventory.prose),
    )


def judge_all(
    facts: Sequence[RunFacts], rules: AuditRules, zone: Zone, windows: Sequence[SkipWindow]
) -> list[AuditedRun]:
    """Every run judged with what the others tell of it: training runs first, by their start, then evaluations."""
    base_levels = _base_levels(facts)
    rows = _whole_rows(facts)
    training = {item.name: item for item in facts if item.kind is RunKind.TRAINING}
    runs = []
    for item in facts:
        family = Family(base_levels, rows.get(_data_of(item)), asked_for(item.trace, rules), planned_steps(item.trace))
        if item.kind is RunKind.EVALUATION:
            family = _of_checkpoint(item, family, training, rules)
        runs.append(judge_run(item, family, rules, zone, windows))
    far = float("inf")
    return sorted(
        _filled(runs),
        key=lambda run: (run.kind is RunKind.EVALUATION, far if run.started_at is None else run.started_at, run.name),
    )


def _filled(runs: Sequence[AuditedRun]) -> list[AuditedRun]:
    """Runs without a standing final score, filled by a valid evaluation of their own last checkpoint."""
    valid = {
        (run.checkpoint_of, run.checkpoint_step): run.name for run in runs if run.checkpoint_of and run.final_stands
    }
    found = []
    for run in runs:
        by = valid.get((run.name, run.planned_steps))
        found.append(replace(run, filled_by=by) if by is not None and not run.final_stands else run)
    return found


def _of_checkpoint(item: RunFacts, family: Family, training: Mapping[str, RunFacts], rules: AuditRules) -> Family:
    """What is known of the run whose checkpoint an evaluation scores."""
    name, _ = checkpoint_of(item, rules)
    scored = training.get(name or "")
    if scored is None:
        return replace(family, trained=None, planned=None)
    return replace(family, trained=asked_for(scored.trace, rules), planned=planned_steps(scored.trace))


def _base_levels(facts: Sequence[RunFacts]) -> dict[str, tuple[float, ...]]:
    levels: dict[str, list[float]] = {}
    for item in facts:
        if item.kind is RunKind.TRAINING:
            for score in attributed_scores(item.trace, None)[0]:
                if score.step == 0:
                    levels.setdefault(score.metric, []).append(score.value)
    return {metric: tuple(sorted(set(values))) for metric, values in levels.items()}


def _data_of(item: RunFacts) -> str:
    return item.trace.config.get("data.val_files", "")


def _whole_rows(facts: Sequence[RunFacts]) -> dict[str, int]:
    """Validation set → rows of a whole validation: as its file holds them, else of the largest of several dumps.

    One dump alone says nothing of how many rows there should be.
    """
    rows: dict[str, list[int]] = {}
    for item in facts:
        rows.setdefault(_data_of(item), []).extend(dump.rows for dump in item.trace.dumps.values())
    counted = {data: count_rows(data) for data in rows if data}
    each = {_data_of(item): whole(item.trace.config.get(SAMPLES_EACH)) or 1 for item in facts}
    known = {data: max(found) for data, found in rows.items() if len(found) > 1}
    return known | {data: count * max(each[data], 1) for data, count in counted.items() if count is not None}


def _histories(
    repositories: Sequence[Path], suspects: Sequence[str]
) -> tuple[list[SkipWindow], int | None, list[FileProblem]]:
    windows: list[SkipWindow] = []
    offset: int | None = None
    problems: list[FileProblem] = []
    for repository in dict.fromkeys(path.resolve() for path in repositories):
        history = read_history(repository, suspects)
        windows += [window for window in history.windows if window not in windows]
        offset = offset if offset is not None else history.utc_offset
        problems += history.problems
    return windows, offset, problems


def _summaries(inventory: Inventory, runs: Sequence[AuditedRun], comparisons: Sequence[Comparison]) -> list[Action]:
    """Documents that tell scores of these runs: testimony, and to be corrected."""
    found = []
    for path in inventory.prose[:MOST_DOCUMENTS]:
        try:
            marked = fix_summary(read_document(path), runs, comparisons).marked
        except LaststepError:
            continue
        if marked:
            sentence = f"{path} tells {marked} scores without their step and standing"
            found.append(
                Action("summary", sentence, command=f"laststep audit … --fix-summary {shlex.quote(str(path))}")
            )
    return found


def _take_scripts(inventory: Inventory, repositories: Sequence[Path]) -> None:
    """The launch and evaluation scripts of a repository that is given for its history."""
    there = take_inventory([path for path in repositories if path.is_dir()])
    inventory.scripts += [path for path in there.scripts if path not in inventory.scripts]


def _scripts(inventory: Inventory, runs: Sequence[AuditedRun]) -> tuple[ScriptVerdict, ...]:
    texts = []
    for path in inventory.scripts:
        try:
            texts.append(Script(str(path), read_text(path)))
        except NotText:
            # Said already by the reading of its overrides.
            continue
    asked = {run.quantization.asked for run in runs if run.kind is RunKind.TRAINING}
    return judge_scripts(texts, tuple(sorted(recipe for recipe in asked if recipe not in (None, NONE))))
