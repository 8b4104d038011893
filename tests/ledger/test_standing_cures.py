"""Every standing but `valid` says what would change it, and where it was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.ledger.standings import judge_run, judge_score
from monitor.model.fact import Evidence
from monitor.model.run import Validation
from monitor.model.score import Standing
from tests.ledger import examples

BROKEN: list[dict[str, Any]] = [
    {"rows": 100},
    {"rows": None},
    {"rows": 300},
    {"rows_expected": None},
    {"weights_step": None},
    {"weights_step": 20},
    {"weights_fingerprint": examples.START},
    {"checkpoint_fingerprint": examples.AT_20},
    {"attestation": {}, "recipe_attested": None},
    {"attestation": examples.short_attestation(active_layers=0), "recipe_attested": "none"},
    {"final": False},
]


CURES = ("would", "counts", "evaluates", "show", "tells", "attest it")


@pytest.mark.parametrize("changes", BROKEN)
def test_each_reason_says_what_would_change_it(changes: dict[str, Any]) -> None:
    standing, reasons = judge_score(examples.score(**changes), examples.run())
    assert standing != (Standing.VALID,)
    for reason in reasons:
        assert "; " in reason and any(word in reason for word in CURES), reason


@pytest.mark.parametrize(
    ("step", "run"), [(20, examples.run()), (40, examples.run()), (29, examples.run(name="other"))]
)
def test_a_score_of_the_wrong_step_or_run_says_what_would_count(step: int, run: Any) -> None:
    _, reasons = judge_score(examples.score(step), run)
    assert all("; " in reason for reason in reasons)


def test_a_score_that_is_not_final_cites_the_line_it_was_read_from() -> None:
    seen = (Evidence("step:20", "/run/console.log", 52),)
    score = examples.score(20, evidence=seen)
    _, reasons = judge_score(score, examples.run())
    assert any("(/run/console.log:52)" in reason for reason in reasons)


def test_a_score_without_its_quantization_cites_the_engines_count() -> None:
    counted = examples.short_attestation(active_layers=0, calls=0)
    _, reasons = judge_score(examples.score(attestation=counted, recipe_attested="none"), examples.run())
    assert any("0/2 linear layers" in reason for reason in reasons)


def test_a_missing_final_cites_where_its_validation_began() -> None:
    began = Validation(29, True, began_at=1.0, evidence=(Evidence("begin", "/run/console.log", 70),))
    run = replace(examples.run(), validations=(began,))
    standing, reasons = judge_run(run, [])
    assert standing == (Standing.MISSING_FINAL,)
    assert "(/run/console.log:70)" in reasons[0] and "laststep rerun" in reasons[0]
