"""The audit's document: a window whose begin is not known says null, never 1970."""

from __future__ import annotations

from dataclasses import replace

from monitor.report.audit_json import audit_document
from tests.audit.concluded_family import audit


def test_a_window_without_a_known_begin_has_none() -> None:
    made = audit()
    known, unknown = made.windows[0], replace(made.windows[0], since=0.0)
    document = audit_document(replace(made, windows=(known, unknown)), ())
    assert [window["since"] for window in document["commits"]] == ["2026-01-15T19:33:24.000Z", None]
