"""Folders of validation dumps and of checkpoints as traces, and the experiment's name out of a path."""

from __future__ import annotations

import re
import time
from pathlib import Path

from monitor.audit.byte_stream import NotText
from monitor.audit.rules import AuditRules
from monitor.audit.trace import DumpSeen, Trace
from monitor.model.audit import AuditEvidence, FileProblem
from monitor.model.reading import SourceError
from monitor.sources.checkpoints import FOLDER, inspect
from monitor.sources.dumps import DumpSource

VALIDATION, ROLLOUT = "validation", "rollout"


def name_from_path(path: Path, rules: AuditRules) -> str:
    """The innermost part of a path that is no generic word (`logs`, `validation`, `files`)."""
    parts = [part for part in reversed(path.parts) if part not in ("/", "")]
    return next((part for part in parts if not re.fullmatch(rules.generic_names, part)), path.name)


def read_dumps(folder: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace of a folder of `{step}.jsonl`; training rollouts are none of it. Raises `NotText`."""
    kind = _kind_of(folder, rules)
    if kind == ROLLOUT:
        return [], []
    if not kind:
        words = "holds dumps, and nothing says whether they are of validation: left out"
        return [], [FileProblem(str(folder), words, "name the folder `validation`, or give its run's log too")]
    trace = Trace("dump", str(folder), name_from_path(folder, rules))
    problems = []
    try:
        facts = DumpSource(folder).poll(time.time())
    except SourceError as error:
        raise NotText(str(error)) from error
    for fact in facts:
        data, step = fact.data, fact.step or 0
        seen = AuditEvidence(f"{data['rows']} rows of step {step}", data["path"], data["rows"])
        trace.dumps[step] = DumpSeen(data["rows"], data["bad_rows"], data["mean_score"], seen)
        if data["bad_rows"]:
            problems.append(FileProblem(data["path"], f"{data['bad_rows']} rows are no JSON: not counted"))
    return ([trace] if trace.dumps else []), problems


def _kind_of(folder: Path, rules: AuditRules) -> str:
    """`validation` or `rollout` by the innermost part of the path that says one of them; empty: none does."""
    for part in reversed(folder.parts):
        if re.search(rules.validation_folders, part):
            return VALIDATION
        if re.search(rules.rollout_folders, part):
            return ROLLOUT
    return ""


def read_checkpoints(folder: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace of a folder of `global_step_N`, each complete or not."""
    trace = Trace("checkpoint", str(folder), name_from_path(folder, rules))
    problems = []
    for path in sorted(folder.iterdir()):
        if FOLDER.match(path.name) is None or not path.is_dir():
            continue
        try:
            state = inspect(path)
        except SourceError as error:
            problems.append(FileProblem(str(path), str(error), error.HELP_TEXT))
            continue
        trace.checkpoints[state.step] = state.complete
    return ([trace] if trace.checkpoints else []), problems
