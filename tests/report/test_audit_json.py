"""The audit's JSON as text: one document, whole, a line for each run."""

from __future__ import annotations

import json

from monitor.report.audit_json import document_text


def test_the_text_is_the_document_and_each_entry_of_a_list_has_a_line() -> None:
    document = {
        "schema": 1,
        "runs": [{"name": "e1", "reasons": ['a "quoted" “word”\n']}, {"name": "e2"}],
        "empty": [],
        "cost": {"gpu_hours": None},
    }
    text = document_text(document)
    assert json.loads(text) == document
    assert sum('"name"' in line for line in text.splitlines()) == 2
