"""Each injected fault is named with its class, its process and its line; what may end by itself is never proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.faults import COLLECTIVES, FAULTS, HEALTHY, HELD_OUT, HELD_OUT_HEALTHY, HELD_OUT_SECOND, Fault
from tests.faults.harness import Outcome, watched


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.script)
def test_a_fault_is_named_with_class_process_and_line(fault: Fault, tmp_path: Path) -> None:
    check(fault, watched(fault.script, 1, tmp_path))


@pytest.mark.torch
@pytest.mark.parametrize("fault", COLLECTIVES, ids=lambda fault: fault.script)
def test_the_odd_rank_of_a_collective_is_named(fault: Fault, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    check(fault, watched(fault.script, 1, tmp_path))


def check(fault: Fault, outcome: Outcome) -> None:
    """The first finding is the right one, proved where a proof is due."""
    assert outcome.top is not None, outcome.verdict
    assert outcome.top.hang_class in fault.classes, outcome.verdict
    assert outcome.top.proved is fault.proved
    assert outcome.top.culprit.pid in outcome.culprits
    if outcome.lines:
        assert outcome.top.file == str(outcome.script)
        assert outcome.top.line in outcome.lines
    assert outcome.top.evidence


@pytest.mark.parametrize("fault", [*HELD_OUT, *HELD_OUT_SECOND], ids=lambda fault: fault.script)
def test_a_fault_that_no_rule_was_made_for_is_never_proved_to_be_another(fault: Fault, tmp_path: Path) -> None:
    outcome = watched(fault.script, 1, tmp_path)
    assert not outcome.wrong
    assert {finding.hang_class for finding in outcome.verdict.findings} <= set(fault.classes), outcome.verdict


@pytest.mark.parametrize("script", [*HEALTHY, *HELD_OUT_HEALTHY])
def test_a_healthy_program_that_only_looks_strange_is_not_proved_hung(script: str, tmp_path: Path) -> None:
    assert watched(script, 1, tmp_path).verdict.findings == ()
