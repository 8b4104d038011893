"""The public JSON of a run's verdict (`demo --headless`, `dump`, `replay`, `status`), schema 1.

Covers only the form: keys are stable and golden-tested. Paths are absolute, times UTC ISO 8601.
"""

from __future__ import annotations

import datetime
from typing import Any

from monitor.model.errors import ExitCode
from monitor.model.fact import Evidence
from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.model.json_form import to_json
from monitor.model.snapshot import RunPosition

SCHEMA = 1


def utc(at: float | None) -> str | None:
    """Wall-clock seconds as UTC ISO 8601, to the millisecond."""
    if at is None:
        return None
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def verdict_document(position: RunPosition, verdict: Verdict, bundle: str | None) -> dict[str, Any]:
    """The document of DESIGN.md, "A verdict in JSON"."""
    return {
        "schema": SCHEMA,
        "run": {
            "name": position.name,
            "step": position.step,
            "total_steps": position.total_steps,
            "phase": position.phase,
            "validation": {
                "step": position.validation_step,
                "done": position.validation_done,
                "total": position.validation_total,
            },
        },
        "verdict": verdict.word.value,
        "reasons": list(verdict.reasons),
        "findings": [finding_document(finding) for finding in verdict.findings],
        "bundle": bundle,
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """One finding."""
    seconds = finding.seconds_to_proof
    return {
        "class": finding.hang_class,
        "proved": finding.proved,
        "sentence": finding.sentence,
        "culprit": to_json(finding.culprit),
        "file": finding.file,
        "line": finding.line,
        "chain": [to_json(link) for link in finding.chain],
        "evidence": [evidence_document(evidence) for evidence in finding.evidence],
        "advice": finding.advice,
        "seconds_to_proof": None if seconds is None else round(seconds, 3),
    }


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence."""
    return {"what": evidence.what, "file": evidence.file, "line": evidence.line, "at": utc(evidence.at)}


def exit_code(verdict: Verdict) -> ExitCode:
    """What a command that gives this verdict exits with."""
    return {VerdictWord.HANG: ExitCode.HANG, VerdictWord.STALL: ExitCode.STALL}.get(verdict.word, ExitCode.OK)
