"""Proof, made inside the process that computes a score, of the quantization that was active.

`begin` before the first sample, `close` after the last; what `close` returns is judged by `quant.verification`. Proof
is what was executed in between: counters that rose, and what the layers really multiply (`quant.probe`). Layers of
other libraries are witnessed where the recipe declares their kernels (`quant.witness`). Not covered: engines whose
products don't run through these layers.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from quant import shared_scales
from quant.fake_quant import Operands
from quant.fingerprint import fingerprint
from quant.formats import mxfp4
from quant.layers import QuantizedLinear, expected_linears, quantized_linears
from quant.noise import noise_state
from quant.probe import arithmetic_of, probe_layer
from quant.recipe import Recipe
from quant.rounding import rounded, shared_scale
from quant.verification import SCHEMA, document_sha256, layer_problems
from quant.witness import Witness, kernel_of, witnesses


@dataclass(frozen=True)
class Counts:
    """A layer's counters at one moment."""

    calls: int
    weight_calls: int
    activation_calls: int
    activation_rows: int

    @classmethod
    def of(cls, operands: Operands) -> Counts:
        """As they stand now."""
        return cls(operands.calls, operands.weight_calls, operands.activation_calls, operands.activation_rows)

    def since(self, earlier: Counts) -> dict[str, int]:
        """What they rose by."""
        return {name: value - getattr(earlier, name) for name, value in vars(self).items()}


NO_COUNTS = Counts(0, 0, 0, 0)


@dataclass(frozen=True)
class Opening:
    """What stood before the first sample."""

    recipe: Recipe | None
    fingerprint: str
    operands: Mapping[str, Operands]
    counts: Mapping[str, Counts]
    witnesses: Mapping[str, Witness]
    """Of layers that the recipe's `kernels` compute."""
    began_at: float


@dataclass(frozen=True)
class StoredFingerprints:
    """Fingerprints as stored on disk, where the evaluation ran in another type than the files hold."""

    checkpoint: str | None = None
    start: str | None = None


def begin(model: Any, recipe: Recipe | None) -> Opening:
    """Call before the first sample. Without a recipe: the unquantized model is attested."""
    operands = {name: layer.operands for name, layer in quantized_linears(model).items()}
    counts = {name: Counts.of(each) for name, each in operands.items()}
    own = fingerprint(model.state_dict())
    return Opening(recipe, own, operands, counts, _witnesses(model, recipe), time.time())


def close(
    model: Any,
    opening: Opening,
    *,
    checkpoint_fingerprint: str | None = None,
    start_fingerprint: str | None = None,
    weights_step: int | None = None,
    stored: StoredFingerprints | None = None,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Call after the last sample: the attestation, as plain JSON values. It judges nothing and refuses nothing.

    The fingerprints given are of the weights in the type they were evaluated in, `stored` those in the files' type.
    `facts`: whatever else the caller knows, under the document's own keys or others.
    """
    recipe = opening.recipe
    for witness in opening.witnesses.values():
        witness.remove()
    expected = expected_linears(model, recipe)
    found = {**quantized_linears(model), **{name: each.layer for name, each in opening.witnesses.items()}}
    own = _shared_weights(model, expected, recipe)
    layers = {name: _layer_entry(name, layer, opening, own.get(name)) for name, layer in {**expected, **found}.items()}
    stored = stored or StoredFingerprints(checkpoint_fingerprint, start_fingerprint)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "recipe": recipe.to_dict() if recipe is not None else None,
        "expected": list(expected),
        "found": list(found),
        "expected_layers": len(expected),
        "active_layers": _active(layers, expected, found, recipe),
        "calls": sum(_rounded_products(entry) for entry in layers.values()),
        "layers": layers,
        "fingerprint_begin": opening.fingerprint,
        "fingerprint_end": fingerprint(model.state_dict()),
        "checkpoint_fingerprint": checkpoint_fingerprint,
        "checkpoint_fingerprint_stored": stored.checkpoint,
        "start_fingerprint": start_fingerprint,
        "start_fingerprint_stored": stored.start,
        "weights_step": weights_step,
        "began_at": opening.began_at,
        "closed_at": time.time(),
        "pid": os.getpid(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        "hooked": [name for name, witness in opening.witnesses.items() if witness.hooked],
        "noise": noise_state(model),
        **(facts or {}),
    }
    return {**document, "sha256": document_sha256(document)}


def _shared_weights(model: Any, expected: Mapping[str, Any], recipe: Recipe | None) -> dict[str, Any]:
    """The rounded weights of layers that share a scale, from the recipe's word and not the layers'."""
    if recipe is None or not recipe.shared_scales or not recipe.quantize_weights:
        return {}
    with torch.no_grad():
        return {
            name: rounded(
                expected[name].weight,
                recipe.format,
                recipe.scale_rule,
                shared_scale([layer.weight for layer in group], recipe.format),
            )
            for name, group in shared_scales.groups(model, expected, recipe).items()
        }


def _witnesses(model: Any, recipe: Recipe | None) -> dict[str, Witness]:
    if recipe is None or not recipe.kernels:
        return {}
    own = quantized_linears(model)
    layers = {name: layer for name, layer in expected_linears(model, recipe).items() if name not in own}
    return witnesses(layers, arithmetic_of(recipe), recipe.kernels)


def _layer_entry(name: str, layer: Any, opening: Opening, own: Any) -> dict[str, Any]:
    """One layer: what it says of itself, what it counted in between, what it was seen to do."""
    operands: Operands | None = layer.operands if isinstance(layer, QuantizedLinear) else None
    recipe = opening.recipe
    said = arithmetic_of(recipe)
    probe = probe_layer(
        layer, rule=said.rule, weights=said.weights, activations=said.activations, fmt=said.fmt, own=own
    )
    witness = opening.witnesses.get(name)
    if witness is not None:
        dtype = str(layer.weight.dtype).removeprefix("torch.")
        return {"dtype": dtype, **vars(probe), **witness.entry(kernel_of(layer))}
    rise = Counts.of(operands).since(opening.counts.get(name, NO_COUNTS)) if operands else vars(NO_COUNTS)
    return {
        "format": getattr(operands, "format", mxfp4.NAME) if operands else None,
        "rule": operands.rule if operands else None,
        "dtype": str(layer.weight.dtype).removeprefix("torch."),
        "same_since_begin": operands is not None and opening.operands.get(name) is operands,
        **vars(probe),
        **rise,
    }


def _active(
    layers: Mapping[str, Mapping[str, Any]],
    expected: Mapping[str, Any],
    found: Mapping[str, Any],
    recipe: Recipe | None,
) -> int:
    """Expected layers that were quantized as the recipe says, in every product."""
    if recipe is None:
        return 0
    asked = recipe.to_dict()
    return sum(1 for name in expected if name in found and not layer_problems(layers[name], asked))


def _rounded_products(entry: Mapping[str, Any]) -> int:
    """Products in which an operand was rounded."""
    return max(entry["weight_calls"], entry["activation_calls"])
