"""`laststep rerun FOLDER --emit` on a real folder: a script on stdout, nothing launched, nothing written."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from monitor.commands import rerun
from monitor.rerun import weights_probe
from tests.rerun.run_folder import tree_hash
from tests.rerun.verl_run import STEP, make_verl_run

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are read in this process, and the machine has vLLM: what the script's interpreter would have."""

    def probe(plan: object) -> object:
        read = weights_probe.read(plan.checkpoint, plan.start_model, "transformers")  # type: ignore[attr-defined]
        return dataclasses.replace(read, engine_error="", model_error="")

    monkeypatch.setattr(weights_probe, "probe", probe)


def called(*words: str) -> int:
    parser = argparse.ArgumentParser()
    rerun.add_arguments(parser)
    return rerun.run(parser.parse_args([*words, "--emit"]))


def test_a_folder_becomes_a_script(tmp_path: Path, own_folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_verl_run(tmp_path / "run")
    before = tree_hash(folder)
    assert called(str(folder)) == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/bin/bash\n") and f"global_step_{STEP}" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, timeout=30).returncode == 0
    assert tree_hash(folder) == before
    assert list((own_folders / "state" / "laststep").glob("reruns/*")) == []


def test_an_unsafe_checkpoint_gets_no_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_verl_run(tmp_path / "run")
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").unlink()
    assert called(str(folder)) == 13
    assert capsys.readouterr().out == ""
