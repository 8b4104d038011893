"""The audit as one JSON document, schema 1: stable keys, UTC times, text from outside cleaned."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable
from typing import Any

from monitor.model.audit import Audit, AuditedRun, SkipWindow
from monitor.model.json_form import to_json
from monitor.report.clean_text import clean
from monitor.report.verdict_json import utc

SCHEMA = 1


def audit_document(audit: Audit, guesses: Iterable[Any] = ()) -> dict[str, Any]:
    """The whole audit. `guesses` stand apart, only where they were asked for."""
    document = {
        "schema": SCHEMA,
        "runs": [run_document(run) for run in audit.runs],
        "comparisons": [cleaned(to_json(item)) for item in audit.comparisons],
        "commits": [window_document(window) for window in audit.windows],
        "scripts": [cleaned(to_json(item)) for item in audit.scripts],
        "actions": [cleaned(to_json(item)) for item in audit.actions],
        "wasted_gpu_hours": audit.cost.gpu_hours if audit.cost else None,
        "cost": cleaned(to_json(audit.cost)),
        "problems": [cleaned(to_json(item)) for item in audit.problems],
        "testimony": [clean(path) for path in audit.testimony],
    }
    guessed = [cleaned(to_json(item)) for item in guesses]
    return {**document, "guesses": guessed} if guessed else document


def run_document(run: AuditedRun) -> dict[str, Any]:
    """One run: what it claims first, then all that is known of it."""
    whole = cleaned(to_json(dataclasses.replace(run, step_seconds=())))
    first = ("name", "label", "kind", "planned_steps", "reached_step", "scores", "standing", "reasons", "evidence")
    document = {key: whole[key] for key in first}
    document.update({key: value for key, value in whole.items() if key not in document})
    document["started_at"] = utc(run.started_at)
    document["final_stands"] = run.final_stands
    del document["step_seconds"]
    return document


def window_document(window: SkipWindow) -> dict[str, Any]:
    """One suspect commit."""
    document: dict[str, Any] = cleaned(to_json(window))
    document["since"], document["until"] = utc(window.since or None), utc(window.until)
    return document


def document_text(document: dict[str, Any]) -> str:
    """The document as text: one line for each run, commit, script, … of a list, so that thousands are written fast."""
    parts = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            lines = ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}"


def cleaned(value: Any) -> Any:
    """The document with every string made safe for a terminal."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, dict):
        return {_key(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value


@functools.lru_cache(maxsize=4096)
def _key(key: str) -> str:
    """Keys are few and come again with every run."""
    return clean(key)
