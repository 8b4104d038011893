"""What corrects a record, and what only knows less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.ledger.corrections import why_corrected
from monitor.model.score import Standing
from tests.ledger import examples

KEPT = replace(examples.score(), standing=(Standing.UNPROVEN,), reasons=("unproven: the last step is not known",))


def test_the_same_again_later_corrects_nothing() -> None:
    assert why_corrected(KEPT, replace(KEPT, recorded_at=9e9)) is None


def test_a_last_step_learned_late_corrects_and_says_so() -> None:
    unknown = replace(KEPT, provenance=examples.provenance(final=None))
    told = replace(KEPT, standing=(Standing.VALID,), reasons=("valid: all",))
    assert why_corrected(unknown, told) == "learned since: final"


def test_an_attestation_that_came_late_corrects() -> None:
    bare = replace(KEPT, provenance=examples.provenance(attestation={}, recipe_attested=None))
    told = replace(KEPT, standing=(Standing.VALID,), reasons=("valid: all",))
    why = why_corrected(bare, told)
    assert why is not None and "attestation" in why and "recipe_attested" in why


@pytest.mark.parametrize("lost", [{"attestation": {}}, {"rows": None}, {"weights_step": None}, {"dump_path": None}])
def test_a_reader_that_knows_less_corrects_nothing(lost: dict[str, object]) -> None:
    valid = replace(KEPT, standing=(Standing.VALID,), reasons=("valid: all",))
    told = replace(KEPT, provenance=examples.provenance(**lost))
    assert why_corrected(valid, told) is None


def test_a_value_read_anew_corrects_and_names_both() -> None:
    assert why_corrected(KEPT, replace(KEPT, value=0.72)) == "its value was read anew: 0.71 became 0.72"
