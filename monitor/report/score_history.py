"""The records of scores as they came: what was first said, what corrected it, and which one holds now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from monitor.model.score import Score
from monitor.report.clean_text import clean
from monitor.report.scores import score_document
from monitor.report.verdict_json import utc


def history_document(history: Sequence[Score]) -> list[dict[str, Any]]:
    """One entry a score (run, step, metric) with its records, oldest first."""
    return [
        {"run": run, "step": step, "metric": metric, "records": [score_document(record) for record in records]}
        for (run, step, metric), records in groupby(history, key=_what)
    ]


def history_lines(history: Sequence[Score]) -> Iterator[str]:
    """A block a score: each record with its time, what it claimed, and why it came."""
    for (run, step, metric), records in groupby(history, key=_what):
        yield clean(f"{run}  step {step}  {metric}")
        for record in records:
            yield clean(f"  {utc(record.recorded_at)}  {record.value:.4f}  {_claims(record):<28} {_came(record)}")


def _what(record: Score) -> tuple[str, int, str]:
    return record.run, record.step, record.metric


def _claims(record: Score) -> str:
    return ", ".join(word.value for word in record.standing) or "unjudged"


def _came(record: Score) -> str:
    source = record.provenance.source
    if record.provenance.rerun_id:
        source += f" {record.provenance.rerun_id}"
    return f"{source}, correction {record.revision}: {record.correction}" if record.revision else source
