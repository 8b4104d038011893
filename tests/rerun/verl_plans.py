"""Plans of verl runs, made without files or a ledger."""

from __future__ import annotations

from typing import Any

from monitor.rerun.facts import GpuSpace, PreflightFacts, VerlFacts
from monitor.rerun.plan import RerunPlan
from monitor.rerun.recorded_launch import RecordedLaunch
from monitor.rerun.routes import choose
from monitor.rerun.verl_evaluation import VerlEvaluation
from tests.rerun import examples

GIB = 1024**3
VERSION = "0.9.1"
PROVED = {VERSION: "a test's own table"}
OVERRIDES = (
    "data.val_files=/run/data/validation.jsonl",
    "trainer.experiment_name=mine",
    "trainer.save_freq=1",
    "+trainer.note='two words'",
    "actor_rollout_ref.rollout.engine_kwargs.vllm.quantization=laststep_mxfp4",
)


def evaluation(**changes: Any) -> VerlEvaluation:
    """A greedy validation with the run's own reward."""
    values: dict[str, Any] = {
        "engine": "vllm?reward=/run/reward.py:compute_score&eager=true",
        "temperature": 0.0,
        "top_p": 1.0,
        "n": 1,
        "max_tokens": 32,
        "reward": "/run/reward.py:compute_score",
    }
    return VerlEvaluation(**{**values, **changes})


def plan(versions: dict[str, str] | None = None, proved: dict[str, str] | None = None, **changes: Any) -> RerunPlan:
    """A plan with both routes weighed."""
    verl = changes.pop("verl", evaluation())
    known = {"verl": VERSION} if versions is None else versions
    values: dict[str, Any] = {
        "trainer": "verl",
        "verl": verl,
        "engine": verl.engine,
        "python": "/training/bin/python",
        "routes": choose(verl, known, proved or {}),
        "config_source": "/run/.hydra/config.yaml",
    }
    return examples.plan(**{**values, **changes})


def found(**changes: Any) -> VerlFacts:
    """What a safe evaluation on one free GPU finds."""
    values: dict[str, Any] = {
        "gpus_total": 1,
        "gpu_space": (GpuSpace(0, 80 * GIB, 79 * GIB),),
        "merge_free": 10 * GIB,
    }
    return VerlFacts(**{**values, **changes})


def facts(**changes: Any) -> PreflightFacts:
    """The facts of a safe evaluation of a verl run."""
    return examples.facts(**{"verl": found(), **changes})


def launch(**changes: Any) -> RecordedLaunch:
    """A launch that Hydra recorded."""
    values: dict[str, Any] = {
        "entry": "verl.trainer.main_ppo",
        "source": "/run/.hydra/config.yaml",
        "overrides": OVERRIDES,
        "config_name": "ppo_trainer",
        "folder": "/run",
        "values": {"trainer": {"n_gpus_per_node": 8, "nnodes": 1}},
    }
    return RecordedLaunch(**{**values, **changes})
