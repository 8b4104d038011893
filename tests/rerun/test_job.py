"""The rerun as a process with a real Ray of its own: its failures and its end by signals."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.rows import RerunRow
from monitor.ledger.store import Ledger
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import cancel, start
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.rerun.preflight import Refused
from monitor.sources import checkpoints
from tests.rerun.leftovers import no_process_left, nothing_left
from tests.rerun.run_folder import RUN, STEP, make_run

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
    assert no_process_left(plan), "its Ray outlived it"
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
