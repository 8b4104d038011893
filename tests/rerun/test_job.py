"""The rerun as a process with a real Ray of its own: its score, its failures, its end by signals."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.rows import RerunRow
from monitor.ledger.store import Ledger
from monitor.model.score import Standing
from monitor.rerun import claims
from monitor.rerun.environment import RERUN_VARIABLE
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import cancel, start
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.rerun.preflight import Refused
from monitor.sources import checkpoints
from tests.rerun.run_folder import RUN, SAMPLES, STEP, make_run, tree_hash

pytestmark = [pytest.mark.real, pytest.mark.torch]

PATIENCE = 180.0


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


@pytest.fixture
def folder(ledger: Ledger, own_folders: Path) -> Path:
    """The folder of a run that the ledger knows, with the manifest of its last checkpoint."""
    folder = own_folders / "of-the-run"
    ledger.save_run(make_run(folder))
    ledger.save_checkpoint_manifest(RUN, STEP, checkpoints.manifest(folder / "checkpoints" / f"global_step_{STEP}"))
    return folder


def planned(ledger: Ledger, engine: str = "ENGINE", quant: str | None = None) -> RerunPlan:
    """A plan with an engine of these tests."""
    return dataclasses.replace(make_plan(ledger, RUN, quant=quant), engine=f"tests.rerun.engines:{engine}")


def processes_of(plan: RerunPlan) -> list[int]:
    """Live processes that carry the rerun's mark."""
    mark = f"{RERUN_VARIABLE}={plan.out_directory}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def nothing_left(plan: RerunPlan) -> bool:
    """Neither a process nor Ray's temporary folder; processes that end now are waited for."""
    deadline = time.monotonic() + 30
    while processes_of(plan) and time.monotonic() < deadline:
        time.sleep(0.2)
    ray_folder = Path((Path(plan.out_directory) / claims.FOLDER_NOTE).read_text())
    return not processes_of(plan) and not ray_folder.exists()


def until_samples(ledger: Ledger, identity: str) -> RerunRow:
    """The row once the first batch is done."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        row = ledger.rerun(identity)
        assert not row.over, row
        if row.done:
            return row
        time.sleep(0.2)
    raise AssertionError("no sample was evaluated in time")


def test_the_score_is_valid_proved_and_the_runs_folder_unchanged(ledger: Ledger, folder: Path) -> None:
    before = tree_hash(folder)
    plan = planned(ledger)
    identity = start(plan, ledger)
    rows = list(watch_rerun(ledger, identity))
    assert rows[-1].status == "done", rows[-1]
    (score,) = ledger.scores(RUN)
    assert score.standing == (Standing.VALID,), score.reasons
    assert (score.step, score.provenance.rows, score.provenance.rerun_id) == (STEP, SAMPLES, identity)
    dumped = [json.loads(line) for line in plan.dump_path.read_text().splitlines()]
    assert len(dumped) == SAMPLES
    assert score.value == sum(row["score"] for row in dumped) / SAMPLES
    assert json.loads(plan.attestation_path.read_text()) == score.provenance.attestation
    assert tree_hash(folder) == before
    assert nothing_left(plan)


def test_in_bf16_it_is_not_quantized(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger, quant="bf16")
    identity = start(plan, ledger)
    rows = list(watch_rerun(ledger, identity))
    assert rows[-1].status == "done", rows[-1]
    (score,) = ledger.scores(RUN)
    assert Standing.NOT_QUANTIZED in score.standing
    assert Standing.VALID not in score.standing


@pytest.mark.parametrize(("engine", "words"), [("DYING", "process ended"), ("RAISING", "scoring sample s3 failed")])
def test_an_engine_that_fails_in_the_middle_gives_one_sentence_and_no_score(
    ledger: Ledger, folder: Path, engine: str, words: str
) -> None:
    plan = planned(ledger, engine)
    *_, last = watch_rerun(ledger, start(plan, ledger))
    assert last.status == "failed"
    assert words in last.error
    assert "\n" not in last.error
    assert ledger.scores(RUN) == []
    assert nothing_left(plan)


def test_quantization_that_was_off_gives_no_score(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger, "SWITCHED_OFF")
    *_, last = watch_rerun(ledger, start(plan, ledger))
    assert last.status == "failed"
    assert "not used during the evaluation" in last.error
    assert ledger.scores(RUN) == []


def test_cancelling_ends_it_as_cancelled_and_leaves_nothing(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger, "SLOW")
    identity = start(plan, ledger)
    until_samples(ledger, identity)
    assert cancel(ledger, identity)
    *_, last = watch_rerun(ledger, identity)
    assert last.status == "cancelled"
    assert ledger.scores(RUN) == []
    assert nothing_left(plan)
    assert not cancel(ledger, identity)


def test_killed_in_the_middle_it_ends_failed_leaves_nothing_and_does_not_block_the_next(
    ledger: Ledger, folder: Path
) -> None:
    plan = planned(ledger, "SLOW")
    identity = start(plan, ledger)
    row = until_samples(ledger, identity)
    second = dataclasses.replace(planned(ledger, "SLOW"), out_directory=plan.out_directory + "-second")
    with pytest.raises(Refused, match="under way"):
        start(second, ledger)
    assert not Path(second.out_directory).exists()
    os.kill(row.pid, signal.SIGKILL)
    *_, last = watch_rerun(ledger, identity)
    assert (last.status, ledger.scores(RUN)) == ("failed", [])
    assert nothing_left(plan)
    third = dataclasses.replace(second, out_directory=plan.out_directory + "-third")
    again = start(third, ledger)
    assert cancel(ledger, again)
    *_, ended = watch_rerun(ledger, again)
    assert ended.status == "cancelled"


def test_a_run_changed_between_plan_and_launch_is_refused_and_leaves_no_folder(ledger: Ledger, folder: Path) -> None:
    plan = planned(ledger)
    (folder / "data" / "validation.jsonl").write_text("1\n")
    with pytest.raises(Refused, match="validation data is not the run's"):
        start(plan, ledger)
    assert not Path(plan.out_directory).exists()
    assert ledger.reruns(RUN) == []
