"""A plan and the facts of a safe rerun, for tests that spoil one thing."""

from __future__ import annotations

from typing import Any

from monitor.rerun.facts import CheckpointFacts, DataFacts, PreflightFacts, Resources, Surroundings, WeightsFacts
from monitor.rerun.plan import SCHEMA, RerunPlan

RECIPE: dict[str, Any] = {"name": "mxfp4_w4a4", "format": "mxfp4", "scale_rule": "even", "exclude": ["lm_head"]}
MANIFEST = {"actor/model_world_size_1_rank_0.pt": (1000, "aa"), "data.pt": (10, "bb")}


def plan(**changes: Any) -> RerunPlan:
    """A plan of step 29 of a demo run."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "run": "demo-20260101T000000Z",
        "step": 29,
        "final": True,
        "trainer": "demo",
        "metric": "val-core/arithmetic/acc/mean@1",
        "checkpoint": "/run/checkpoints/global_step_29",
        "start_model": "/run/model",
        "validation_file": "/run/data/validation.jsonl",
        "validation_sha256": "d1",
        "rows_expected": 256,
        "recipe": RECIPE,
        "recipe_label": "mxfp4_w4a4",
        "recipe_asked": False,
        "training_recipe": RECIPE,
        "training_quantized": True,
        "engine": "monitor.demo.evaluation_engine:ENGINE",
        "out_directory": "/state/laststep/reruns/new",
        "experiment": "demo-rerun-step29",
        "run_experiment": "demo",
        "run_paths": ("/run/checkpoints", "/run/model", "/run/data/validation.jsonl"),
        "run_started_at": 1000.0,
        "driver_mark": None,
        "ledger": "/state/laststep/ledger.sqlite",
    }
    return RerunPlan(**{**values, **changes})


def checkpoint(**changes: Any) -> CheckpointFacts:
    """A complete checkpoint, as recorded."""
    values: dict[str, Any] = {
        "exists": True,
        "complete": True,
        "marker_step": 29,
        "shards": 1,
        "manifest": dict(MANIFEST),
        "recorded": dict(MANIFEST),
        "recorded_fingerprint": "trained",
        "earlier": ("/run/checkpoints/global_step_20",),
    }
    return CheckpointFacts(**{**values, **changes})


def weights(**changes: Any) -> WeightsFacts:
    """Trained weights that differ from the start model's."""
    values: dict[str, Any] = {"checkpoint": "trained", "start": "untrained", "torch_version": "2.13.0"}
    return WeightsFacts(**{**values, **changes})


def data(**changes: Any) -> DataFacts:
    """The run's own validation file."""
    return DataFacts(**{"exists": True, "sha256": "d1", "rows": 256, "modified_at": 900.0, **changes})


def resources(**changes: Any) -> Resources:
    """A machine with room."""
    gib = 1024**3
    values: dict[str, Any] = {
        "memory_total": 64 * gib,
        "memory_free": 32 * gib,
        "shared_memory_free": 8 * gib,
        "state_free": 10 * gib,
        "temp_free": 10 * gib,
        "load": 0.5,
        "processors": 4,
    }
    return Resources(**{**values, **changes})


def around(**changes: Any) -> Surroundings:
    """Nothing in the way."""
    return Surroundings(**{"recorded_torch": "2.13.0", "ports_free": 16, **changes})


def facts(**changes: Any) -> PreflightFacts:
    """The facts of a safe rerun."""
    values: dict[str, Any] = {
        "checkpoint": checkpoint(),
        "weights": weights(),
        "data": data(),
        "resources": resources(),
        "around": around(),
    }
    return PreflightFacts(**{**values, **changes})
