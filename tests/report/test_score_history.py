"""Records of scores as they came."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.score import Standing
from monitor.report.score_history import history_document, history_lines
from tests.ledger import examples

FIRST = replace(examples.score(), standing=(Standing.UNPROVEN,))
THEN = replace(FIRST, standing=(Standing.VALID,), revision=1, correction="learned: rows", recorded_at=2000.0)
RERUN = examples.score(29, 0.72, source="rerun", rerun_id="r1")


def test_each_record_is_told_with_its_time_its_claim_and_why_it_came() -> None:
    lines = list(history_lines([FIRST, THEN, RERUN]))
    assert lines == [
        f"{examples.RUN}  step 29  {examples.METRIC}",
        "  1970-01-01T00:17:30.000Z  0.7100  unproven                     training",
        "  1970-01-01T00:33:20.000Z  0.7100  valid                        training, correction 1: learned: rows",
        "  1970-01-01T00:17:30.000Z  0.7200  unjudged                     rerun r1",
    ]


def test_the_document_has_every_record_of_a_score_together() -> None:
    (entry,) = history_document([FIRST, THEN, RERUN])
    assert [(record["revision"], record["standing"]) for record in entry["records"]] == [
        (0, ["unproven"]),
        (1, ["valid"]),
        (0, []),
    ]
