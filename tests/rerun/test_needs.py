"""What a rerun takes follows from the checkpoint on disk and from validations that were timed; else it is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.model.run import PhaseSpan, RunConfig, RunState
from monitor.rerun.needs import START_SECONDS, needs_of, weight_bytes
from tests.rerun import verl_plans

RUN = "one"


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger with two runs of one experiment."""
    with Ledger.open() as opened:
        for name, started in ((RUN, 2000.0), ("earlier", 1000.0)):
            opened.save_run(RunState(name, RunConfig(experiment="mine", trainer="verl"), started, trainer="verl"))
        yield opened


def timed(ledger: Ledger, run: str, *seconds: float) -> None:
    ledger.save_spans(run, [PhaseSpan(step, "testing", 0.0, each, each) for step, each in enumerate(seconds)])


def test_model_shards_count_and_optimizer_shards_do_not(tmp_path: Path) -> None:
    (tmp_path / "actor").mkdir()
    for name, size in (("model_world_size_2_rank_0.pt", 30), ("model_world_size_2_rank_1.pt", 12), ("optim_x.pt", 99)):
        (tmp_path / "actor" / name).write_bytes(b"x" * size)
    assert weight_bytes(tmp_path) == 42
    assert weight_bytes(tmp_path / "none") == 0


def test_a_whole_checkpoints_weights_count_once(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * 7)
    assert weight_bytes(tmp_path) == 7


def test_time_without_any_timed_validation_is_unknown(ledger: Ledger) -> None:
    found = needs_of(verl_plans.plan(run=RUN), ledger)
    assert found.seconds is None and "no validation" in found.why


def test_the_runs_own_slowest_validation_goes_before_those_of_runs_like_it(ledger: Ledger) -> None:
    timed(ledger, "earlier", 900.0)
    like = needs_of(verl_plans.plan(run=RUN), ledger)
    assert like.seconds == START_SECONDS + 900.0 and "a run like it" in like.why
    timed(ledger, RUN, 60.0, 80.0)
    assert needs_of(verl_plans.plan(run=RUN), ledger).seconds == START_SECONDS + 80.0


def test_memory_grows_with_the_weights_and_a_verl_run_needs_a_gpu(ledger: Ledger, tmp_path: Path) -> None:
    none = needs_of(verl_plans.plan(run=RUN), ledger)
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    some = needs_of(verl_plans.plan(run=RUN, checkpoint=str(tmp_path)), ledger)
    assert some.memory > none.memory and some.gpus == 1
