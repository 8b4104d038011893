"""Unsafe states on real files: each is refused by its own line. No Ray is started."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.rerun.facts import LineState
from monitor.rerun.plan import RerunPlan, make_plan, write_plan
from monitor.rerun.preflight import check
from monitor.sources import checkpoints
from tests.rerun.run_folder import EARLIER, RUN, STEP, make_run, tree_hash, write_model

pytestmark = pytest.mark.torch


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


@pytest.fixture
def folder(ledger: Ledger, tmp_path: Path) -> Path:
    """The folder of a run that the ledger knows, with the manifest of its last checkpoint."""
    ledger.save_run(make_run(tmp_path))
    ledger.save_checkpoint_manifest(RUN, STEP, checkpoints.manifest(tmp_path / "checkpoints" / f"global_step_{STEP}"))
    return tmp_path


def planned(ledger: Ledger, step: int | None = None) -> RerunPlan:
    """The plan, with the engine of these tests."""
    return dataclasses.replace(make_plan(ledger, RUN, step=step), engine="tests.rerun.engines:ENGINE")


def failed(plan: RerunPlan, ledger: Ledger) -> set[str]:
    """Names of the lines that refuse, those about this machine's room left out."""
    machine = {"memory", "shared-memory", "temp-space", "state-folder"}
    return {line.name for line in check(plan, ledger) if line.state is LineState.FAIL} - machine


def shard(folder: Path, kind: str = "model") -> Path:
    """A shard of the last checkpoint."""
    return folder / "checkpoints" / f"global_step_{STEP}" / "actor" / f"{kind}_world_size_1_rank_0.pt"


def test_an_untouched_run_is_not_refused_and_looking_changes_nothing(ledger: Ledger, folder: Path) -> None:
    before = tree_hash(folder)
    assert failed(planned(ledger), ledger) == set()
    assert tree_hash(folder) == before


def test_a_cut_shard(ledger: Ledger, folder: Path) -> None:
    whole = shard(folder).read_bytes()
    shard(folder).write_bytes(whole[: len(whole) // 2])
    assert failed(planned(ledger), ledger) == {"complete", "unchanged", "trained-weights"}


def test_a_missing_shard(ledger: Ledger, folder: Path) -> None:
    shard(folder).unlink()
    assert failed(planned(ledger), ledger) == {"complete", "unchanged", "trained-weights"}


def test_a_missing_shard_of_another_rank(ledger: Ledger, folder: Path) -> None:
    shard(folder, "optim").rename(shard(folder, "optim").with_name("optim_world_size_2_rank_0.pt"))
    assert failed(planned(ledger), ledger) == {"complete", "unchanged"}


def test_a_missing_marker(ledger: Ledger, folder: Path) -> None:
    (folder / "checkpoints" / checkpoints.MARKER).unlink()
    assert failed(planned(ledger), ledger) == {"complete"}


def test_a_marker_of_an_earlier_step(ledger: Ledger, folder: Path) -> None:
    (folder / "checkpoints" / checkpoints.MARKER).write_text(str(EARLIER))
    plan = planned(ledger)
    (line,) = [line for line in check(plan, ledger) if line.name == "complete"]
    assert line.state is LineState.FAIL
    assert f"global_step_{EARLIER}" in line.cure


def test_a_swapped_checkpoint(ledger: Ledger, folder: Path) -> None:
    shutil.copy(folder / "checkpoints" / f"global_step_{EARLIER}" / "actor" / shard(folder).name, shard(folder))
    assert failed(planned(ledger), ledger) == {"unchanged"}


def test_the_start_model_in_its_place_even_where_no_manifest_was_recorded(ledger: Ledger, folder: Path) -> None:
    target = folder / "checkpoints" / f"global_step_{EARLIER}" / "actor" / shard(folder).name
    write_model(folder / "again", seed=0)
    shutil.copy(folder / "again" / "model.pt", target)
    assert failed(planned(ledger, step=EARLIER), ledger) == {"trained-weights"}


def test_a_checkpoint_that_is_being_written(ledger: Ledger, folder: Path) -> None:
    with shard(folder).open("ab"):
        assert failed(planned(ledger), ledger) == {"at-rest"}


def test_no_checkpoint_of_the_step_names_the_newest_earlier_one(ledger: Ledger, folder: Path) -> None:
    shutil.rmtree(shard(folder).parent.parent)
    plan = planned(ledger)
    (line,) = [line for line in check(plan, ledger) if line.name == "checkpoint"]
    assert line.state is LineState.FAIL
    assert f"global_step_{EARLIER}" in line.cure


def test_other_validation_data(ledger: Ledger, folder: Path) -> None:
    data = folder / "data" / "validation.jsonl"
    data.write_text(data.read_text().replace("7\n", "8\n"))
    assert failed(planned(ledger), ledger) == {"validation-set"}


def test_no_validation_data(ledger: Ledger, folder: Path) -> None:
    (folder / "data" / "validation.jsonl").unlink()
    assert failed(planned(ledger), ledger) == {"validation-set"}


def test_the_runs_own_folder_for_output(ledger: Ledger, folder: Path) -> None:
    plan = dataclasses.replace(planned(ledger), out_directory=str(folder / "validation"))
    assert failed(plan, ledger) == {"output-folder"}


def test_an_output_folder_of_an_earlier_rerun(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger)
    write_plan(plan)
    assert failed(plan, ledger) == {"output-folder"}


def test_the_runs_own_experiment_name(ledger: Ledger, folder: Path) -> None:
    plan = dataclasses.replace(planned(ledger), experiment="small")
    assert failed(plan, ledger) == {"experiment-name"}


def test_a_second_rerun_of_the_same_score(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger)
    ledger.claim_rerun(RUN, STEP, plan.recipe_label, os.getpid())
    assert failed(plan, ledger) == {"no-other-rerun"}
    assert failed(planned(ledger, step=EARLIER), ledger) == set()


def test_an_engine_whose_packages_are_not_installed(ledger: Ledger, folder: Path) -> None:
    assert failed(dataclasses.replace(planned(ledger), engine="vllm"), ledger) == {"engine"}
