"""A run, its attestations and its scores as the ledger would have them: all sound, to be broken one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.model.run import RunConfig, RunState, Validation
from monitor.model.score import Provenance, Score
from quant.recipe import Recipe
from quant.verification import document_sha256

RUN = "grpo-20260101T000000Z"
METRIC = "val-core/arithmetic/acc/mean@1"
RECIPE = Recipe("mxfp4_w4a4").to_dict()
ROWS = 256
START, AT_20, AT_29 = "a" * 32, "b" * 32, "c" * 32
"""Fingerprints of the weights at step 0, 20 and 29."""


def run(**changes: Any) -> RunState:
    """A run of 29 steps, quantized, that ended with all three validations executed."""
    config = RunConfig(experiment="grpo", total_steps=29, test_freq=20, validation_rows=ROWS, recipe=RECIPE)
    validations = tuple(
        Validation(
            step,
            step == 29,
            began_at=1000.0 + step,
            ended_at=1001.0 + step,
            done=ROWS,
            total=ROWS,
            dump_rows=ROWS,
            dump_path=f"/run/validation/{step}.jsonl",
            value=value,
            metric=METRIC,
            executed=True,
            scores={METRIC: value},
        )
        for step, value in ((0, 0.1), (20, 0.55), (29, 0.71))
    )
    state = RunState(
        RUN, config, 1000.0, "demo", 29, 29, validations=validations, ended_at=1100.0, ended_how="finished"
    )
    return replace(state, **changes)


def unquantized(**changes: Any) -> RunState:
    """The same run, trained without quantization, which its configuration says."""
    state = run(**changes)
    return replace(state, config=replace(state.config, recipe=None, quantized=False))


def layer(**changes: Any) -> dict[str, Any]:
    """One layer of an attestation that proves the recipe."""
    return {
        "format": "mxfp4",
        "rule": "even",
        "dtype": "float32",
        "same_since_begin": True,
        "weights_on_grid": True,
        "weights_match": True,
        "activations_match": True,
        "calls": 64,
        "weight_calls": 64,
        "activation_calls": 64,
        "activation_rows": 4096,
        **changes,
    }


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the hash over the rest of it."""
    return {**document, "sha256": document_sha256(document)}


def attestation(fingerprint: str = AT_29, weights_step: int = 29, **changes: Any) -> dict[str, Any]:
    """A full attestation of a sound evaluation."""
    layers = {"layers.0": layer(), "layers.1": layer()}
    document = {
        "schema": 1,
        "recipe": RECIPE,
        "expected": list(layers),
        "found": list(layers),
        "expected_layers": 2,
        "active_layers": 2,
        "calls": 128,
        "layers": layers,
        "fingerprint_begin": fingerprint,
        "fingerprint_end": fingerprint,
        "checkpoint_fingerprint": None,
        "start_fingerprint": START,
        "weights_step": weights_step,
    }
    return sealed({**document, **changes})


def short_attestation(fingerprint: str = AT_29, weights_step: int = 29, **changes: Any) -> dict[str, Any]:
    """The engine's own count as its log line tells it."""
    return {
        "scheme": "W4A4",
        "active_layers": 2,
        "expected_layers": 2,
        "calls": 128,
        "weights_fingerprint": fingerprint,
        "weights_step": weights_step,
        **changes,
    }


def provenance(**changes: Any) -> Provenance:
    """Of a sound final score made by the run itself."""
    sound = Provenance(
        source="training",
        final=True,
        rows=ROWS,
        rows_expected=ROWS,
        recipe_declared="mxfp4_w4a4",
        recipe_attested="mxfp4_w4a4",
        weights_step=29,
        weights_fingerprint=AT_29,
        start_fingerprint=START,
        dump_path="/run/validation/29.jsonl",
        attestation=attestation(),
    )
    return replace(sound, **changes)


def score(step: int = 29, value: float = 0.71, **changes: Any) -> Score:
    """A sound final score with its provenance changed."""
    return Score(RUN, step, METRIC, value, 1050.0, provenance(**changes))


def unquantized_score(**changes: Any) -> Score:
    """A sound final score of a run that trains without quantization."""
    plain = {"recipe_declared": "none", "recipe_attested": None, "attestation": {}}
    return score(**{**plain, **changes})
