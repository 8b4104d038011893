"""Versions as the run recorded them; where its records differ, none is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.model.run import RunConfig, RunState
from monitor.model.score import Provenance, Score
from monitor.rerun.installed import here, installed
from monitor.rerun.recorded_versions import recorded_versions
from monitor.rerun.verl_facts import needs_verl

RUN = "one"


@pytest.fixture
def ledger(own_folders: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a run whose log lies in a folder of its own."""
    (tmp_path / "console.log").write_text("")
    config = RunConfig(console_log=str(tmp_path / "console.log"))
    with Ledger.open() as opened:
        opened.save_run(RunState(RUN, config, 1.0))
        yield opened


def wandb(folder: Path, name: str, text: str) -> None:
    file = folder / "wandb" / name / "files" / "requirements.txt"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_a_run_without_records_tells_none(ledger: Ledger) -> None:
    assert recorded_versions(ledger, RUN) == {}


def test_wandbs_requirements_tell_all_of_them(ledger: Ledger, tmp_path: Path) -> None:
    wandb(tmp_path, "run-1", "verl==0.9.1\nvllm-cpu==0.32.0\nray==2.60.0\nnumpy==2.0\nnot a pin\n")
    assert recorded_versions(ledger, RUN) == {"verl": "0.9.1", "vllm": "0.32.0", "ray": "2.60.0"}


def test_records_that_differ_tell_nothing(ledger: Ledger, tmp_path: Path) -> None:
    wandb(tmp_path, "run-1", "verl==0.9.1\nray==2.60.0\n")
    wandb(tmp_path, "offline-run-2", "verl==0.8.0\nray==2.60.0\n")
    assert recorded_versions(ledger, RUN) == {"ray": "2.60.0"}


@pytest.mark.parametrize(
    "line",
    ["INFO core.py:98] Initializing a V1 LLM engine (v0.32.0) with config", "INFO vLLM API server version 0.32.0"],
)
def test_vllm_prints_its_own(ledger: Ledger, tmp_path: Path, line: str) -> None:
    (tmp_path / "console.log").write_text(f"(EngineCore pid=1) {line}\n")
    assert recorded_versions(ledger, RUN) == {"vllm": "0.32.0"}


def test_attestations_made_inside_the_run_tell_theirs_and_those_of_reruns_do_not(ledger: Ledger) -> None:
    for source, version in (("training", "2.13.0"), ("rerun", "2.12.0")):
        known = Provenance(source, attestation={"versions": {"torch": version, "python": "3.11"}})
        ledger.add_score(Score(RUN, 1, "val", 0.5, 1.0, known))
    assert recorded_versions(ledger, RUN) == {"torch": "2.13.0"}


def test_our_own_interpreter_and_the_same_asked_from_outside_agree(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    assert installed(str(other)) == here() == installed(sys.executable)


def test_an_interpreter_that_does_not_answer_tells_nothing(tmp_path: Path) -> None:
    assert installed(str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("def compute_score(): return 1.0\n", False),
        ("import json\nfrom verl.utils import x\n", True),
        ("def f():\n    import verl\n", True),
        ("# verl calls this\nimport verlance\n", False),
    ],
)
def test_a_reward_that_imports_verl_needs_it(tmp_path: Path, text: str, needs: bool) -> None:
    file = tmp_path / "reward.py"
    file.write_text(text)
    assert bool(needs_verl(f"{file}:compute_score")) is needs
    assert needs_verl(None)
