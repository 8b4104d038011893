"""The audit's table and its Markdown: golden for the family, and no text from outside that could make markup."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.model.audit import Audit, AuditEvidence, FileProblem
from monitor.report.audit_markdown import audit_markdown
from monitor.report.audit_text import audit_text
from tests.audit.concluded_family import audit, family

GOLDEN = Path(__file__).parent.parent / "golden"
HOSTILE = "\x1b[2J\x1b]0;owned\x07 `rm -rf` | [x](javascript:1) <script> \u202e\n# heading\r**bold**"


@pytest.mark.parametrize(("name", "made"), [("audit.md", audit_markdown), ("audit.txt", audit_text)])
def test_the_familys_report_is_as_it_was_read_by_a_person(name: str, made: object) -> None:
    """`LASTSTEP_GOLDEN=write` writes it anew, to be read before it is kept."""
    assert callable(made)
    text = made(audit())
    path = GOLDEN / name
    if os.environ.get("LASTSTEP_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_the_report_names_what_the_owners_asked_for() -> None:
    text = audit_markdown(audit())
    for words in ("−7.35 points", "−20.09 points", "−3.94 points", "−4.24 points", "64 GPU-hours", "E13h"):
        assert words in text
    affected, cleared = text.split("## Affected runs")[1].split("## Cleared runs")
    for run in ("E13j", "E13k", "E13l", "E13m", "E13n", "E14a"):
        assert f"### {run}" in affected
    assert "### E13g" in cleared and "### E13h" in cleared


def test_hostile_text_is_text_in_both_reports() -> None:
    seen = AuditEvidence(HOSTILE, HOSTILE, 1)
    run = replace(family()[2], name=HOSTILE, label=HOSTILE, reasons=(HOSTILE,), notes=(HOSTILE,), evidence=(seen,))
    made = replace(audit(), runs=(run,), problems=(FileProblem(HOSTILE, HOSTILE, HOSTILE),), testimony=(HOSTILE,))
    for text in (audit_markdown(made), audit_text(made)):
        assert "\x1b" not in text and "\u202e" not in text and "\r" not in text
        assert "\n# heading" not in text
    markdown = audit_markdown(made)
    assert "\\*\\*bold\\*\\*" in markdown
    assert "<script>" not in "".join(part for place, part in enumerate(markdown.split("`")) if place % 2 == 0)


def test_nothing_found_is_said() -> None:
    assert "no run was found" in audit_text(Audit())
    assert "No run was found" in audit_markdown(Audit())
