"""A rerun of a checkpoint of the demo, with a real Ray of its own: proved, exact, and the run's files untouched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from monitor.demo import arithmetic, checkpoints, tiny_model
from monitor.demo.evaluation_engine import ENGINE
from monitor.ledger.store import Ledger
from monitor.model.run import RunState
from monitor.model.score import Score, Standing
from monitor.rerun.follow import watch_rerun
from monitor.rerun.launch import start
from monitor.rerun.plan import RerunPlan, make_plan
from monitor.sources.checkpoints import manifest
from quant.evaluation import EvaluationRequest, evaluate
from quant.recipe import Recipe
from tests.rerun.leftovers import nothing_left
from tests.rerun.run_folder import RECIPE, RUN, STEP, make_run, tree_hash

pytestmark = [pytest.mark.real, pytest.mark.torch]


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


@pytest.fixture
def folder(own_folders: Path) -> Path:
    """The run's folder."""
    return own_folders / "of-the-run"


@pytest.fixture
def run(ledger: Ledger, folder: Path) -> RunState:
    """A run of the demo that ended without its final validation: start model, last checkpoint, validation set."""
    directory = folder / "demo-checkpoints"
    model = tiny_model.start_model(seed=0)
    tiny_model.save_start_model(folder / "demo-model", seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    checkpoints.save(directory, STEP, model, torch.optim.Adam(model.parameters()))
    (directory / checkpoints.MARKER).write_text(str(STEP))
    data = folder / "demo-data" / "validation.jsonl"
    arithmetic.write_validation_set(data)
    made = make_run(folder)
    config = dataclasses.replace(
        made.config,
        checkpoint_dir=str(directory),
        model_path=str(folder / "demo-model"),
        validation_file=str(data),
        validation_rows=arithmetic.VALIDATION_SAMPLES,
        validation_sha256=None,
    )
    state = dataclasses.replace(made, config=config, ended_at=made.started_at + 60, ended_how="killed")
    ledger.save_run(state)
    ledger.save_checkpoint_manifest(RUN, STEP, manifest(checkpoints.folder(directory, STEP)))
    return state


def rerun(ledger: Ledger, quant: str | None = None) -> tuple[RerunPlan, Score]:
    """A rerun to its end, and its score."""
    plan = make_plan(ledger, RUN, quant=quant)
    identity = start(plan, ledger)
    *_, last = watch_rerun(ledger, identity)
    assert last.status == "done", last
    assert (last.done, last.total) == (arithmetic.VALIDATION_SAMPLES, arithmetic.VALIDATION_SAMPLES)
    (score,) = [score for score in ledger.scores(RUN) if score.provenance.rerun_id == identity]
    return plan, score


def dump(path: Path) -> list[dict[str, Any]]:
    """The samples of a dump."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def evaluated_here(plan: RerunPlan, path: Path) -> list[dict[str, Any]]:
    """The same evaluation in this process, as the run's own rollout would have made it."""
    request = EvaluationRequest(
        checkpoint=Path(plan.checkpoint),
        start_model=None,
        validation_file=Path(plan.validation_file),
        recipe=Recipe.from_dict(RECIPE),
        step=STEP,
        dump_path=path,
        metric=plan.metric,
    )
    evaluate(ENGINE, request, lambda done, total: None)
    return dump(path)


def test_the_missing_score_is_filled_proved_exact_and_nothing_of_the_run_changes(
    ledger: Ledger, run: RunState, folder: Path, tmp_path: Path
) -> None:
    before = tree_hash(folder)
    plan, score = rerun(ledger)
    assert tree_hash(folder) == before
    assert nothing_left(plan)
    redone = dump(plan.dump_path)
    assert redone == evaluated_here(plan, tmp_path / "here.jsonl")
    assert score.value == sum(row["score"] for row in redone) / arithmetic.VALIDATION_SAMPLES
    assert json.loads(plan.attestation_path.read_text()) == score.provenance.attestation
    # The validation file was written after the run began and never hashed: that keeps the score from being valid.
    assert score.standing == (Standing.UNPROVEN,), score.reasons


def test_it_is_valid_where_everything_was_recorded_and_not_quantized_in_bf16(
    ledger: Ledger, run: RunState, tmp_path: Path
) -> None:
    import hashlib

    digest = hashlib.sha256(Path(str(run.config.validation_file)).read_bytes()).hexdigest()
    ledger.save_run(dataclasses.replace(run, config=dataclasses.replace(run.config, validation_sha256=digest)))
    plan, score = rerun(ledger)
    assert score.standing == (Standing.VALID,), score.reasons
    plain_plan, plain = rerun(ledger, quant="bf16")
    assert Standing.NOT_QUANTIZED in plain.standing
    assert Standing.VALID not in plain.standing
    quantized = {row["uid"]: row["log_probability"] for row in dump(plan.dump_path)}
    unquantized = {row["uid"]: row["log_probability"] for row in dump(plain_plan.dump_path)}
    assert quantized.keys() == unquantized.keys()
    assert all(quantized[uid] != unquantized[uid] for uid in quantized)
