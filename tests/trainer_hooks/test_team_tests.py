"""The ready test for teams: quiet for an honest trainer, the right sentence for each dishonest one. Real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.trainer_hooks.conftest import REPOSITORY
from trainer_hooks import team_tests

TRAINER = Path(__file__).with_name("small_trainer.py")


def _record(folder: Path, fault: str) -> team_tests.Evidence:
    command = [sys.executable, str(TRAINER), fault]
    return team_tests.record(command, folder, timeout=120, environment={"PYTHONPATH": str(REPOSITORY)})


def test_an_honest_trainer_passes(tmp_path: Path) -> None:
    team_tests.assert_final_validation(_record(tmp_path, "none"), rows=8, quantized=True)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("skipped", "was skipped: none ran at step 3; the last one was at step 2"),
        ("empty", "was empty: 0 of 8 rows"),
        ("partial", "was partial: 5 of 8 rows"),
        ("noisy", "was noisy: sigma 0.01"),
        ("too-early", "came too early: weights were updated after it began"),
        ("not-quantized", "was not quantized: 0 of 4 layers were active"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path: Path, fault: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        team_tests.assert_final_validation(_record(tmp_path, fault), quantized=True)


def test_a_training_without_the_hooks_proves_nothing(tmp_path: Path) -> None:
    evidence = team_tests.record([sys.executable, "-c", "pass"], tmp_path, timeout=60)
    assert team_tests.objections(evidence) == [
        "the hooks recorded no training: they were not in the process that trains"
    ]
