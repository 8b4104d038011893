"""The attestation from inside vLLM's worker: `worker_extension_cls="quant.vllm.worker.LaststepWorker"`.

`collective_rpc("laststep_begin", …)` before the first sample, `collective_rpc("laststep_close", …)` after the last: one
document for each worker, of the form of `quant.attestation`, as a return value and, where asked, as a file, since some
trainers return nothing. Covers no judgement. Imports vLLM only where it is called.
"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import EvaluationError
from quant.fingerprint import Sums, total
from quant.recipe import Recipe
from quant.verification import SCHEMA, document_sha256, layer_problems


@dataclass(frozen=True)
class Opening:
    """What stood before the first sample."""

    recipe: Recipe | None
    received: str
    resident: str
    methods: dict[str, Any]
    syncs: dict[str, int]
    counts: dict[str, dict[str, int]]
    witnesses: dict[str, Any]
    """Of layers that the recipe's `kernels` compute: those of vLLM's own and others' quantizations."""
    witnessed_sums: dict[str, str]
    """What each of them multiplied with."""
    began_at: float

    def stop_witnesses(self) -> None:
        """Take their hooks off the layers, before these are probed."""
        for witness in self.witnesses.values():
            witness.remove()


class LaststepWorker:
    """Mixed into vLLM's worker; every name begins with `laststep_`, so that none hides the worker's own."""

    def laststep_begin(self, recipe: dict[str, Any] | None) -> str:
        """Note what stands before the first sample; the fingerprint of the weights received."""
        model = self.get_model()  # type: ignore[attr-defined]
        opening = begin(model, None if recipe is None else Recipe.from_dict(recipe))
        self.laststep_opening = opening
        return opening.received

    def laststep_close(self, facts: dict[str, Any] | None = None, path: str | None = None) -> dict[str, Any]:
        """The attestation, with the caller's `facts` in it; also written to `path` with the worker's rank behind."""
        opening = getattr(self, "laststep_opening", None)
        if opening is None:
            raise EvaluationError("an attestation is closed that was never begun", "call laststep_begin before")
        about = {"rank": int(getattr(self, "rank", 0)), **engine_facts(getattr(self, "vllm_config", None))}
        document = close(self.get_model(), opening, {**(facts or {}), "engine": about})  # type: ignore[attr-defined]
        if path is not None:
            target = Path(f"{path}.{about['rank']}")
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            beside.write_text(json.dumps(document), encoding="utf-8")
            beside.replace(target)
        return document


def engine_facts(config: Any) -> dict[str, Any]:
    """What vLLM's configuration says of itself. Intention, not proof."""
    import vllm

    facts: dict[str, Any] = {"name": "vllm", "version": str(vllm.__version__)}
    if config is not None:
        facts["quantization"] = config.model_config.quantization
        facts["eager"] = bool(config.model_config.enforce_eager)
        facts["workers"] = int(config.parallel_config.world_size)
    return facts


def begin(model: Any, recipe: Recipe | None) -> Opening:
    """Call before the first sample. Without a recipe: the unquantized model is attested."""
    from quant.vllm import observe

    layers = observe.linears(model)
    witnesses = observe.witnesses(model, recipe)
    resident = observe.weight_sums(model, resident=True)
    records = {name: record for name, layer in layers.items() if (record := observe.record_of(layer)) is not None}
    return Opening(
        recipe=recipe,
        received=total(observe.weight_sums(model, resident=False).values()).hex(),
        resident=total(resident.values()).hex(),
        methods={name: layer.quant_method for name, layer in layers.items()},
        syncs={name: record.syncs for name, record in records.items()},
        counts={name: observe.counts(layer) for name, layer in layers.items()},
        witnesses=witnesses,
        witnessed_sums={name: _resident(observe.parts_of(model, name, layers[name]), resident) for name in witnesses},
        began_at=time.time(),
    )


def close(model: Any, opening: Opening, facts: dict[str, Any]) -> dict[str, Any]:
    """Call after the last sample: the attestation, as plain JSON values. It judges nothing and refuses nothing."""
    import torch

    from quant.noise import noise_state
    from quant.vllm import observe

    recipe = opening.recipe
    opening.stop_witnesses()
    every = observe.linears(model)
    parts = {name: observe.parts_of(model, name, layer) for name, layer in every.items()}
    expected = [name for name in every if observe.is_meant(parts[name], recipe)]
    found = [name for name, layer in every.items() if observe.is_quantized(layer)]
    names = list(dict.fromkeys([*expected, *found]))
    resident = observe.weight_sums(model, resident=True)
    layers = {name: _witnessed(name, every[name], parts[name], opening, resident) for name in names}
    asked = recipe.to_dict() if recipe is not None else None
    active = 0 if asked is None else sum(not layer_problems(layers[name], asked) for name in expected if name in found)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "recipe": asked,
        "expected": expected,
        "found": found,
        "expected_layers": len(expected),
        "active_layers": active,
        "calls": sum(max(entry["weight_calls"], entry["activation_calls"]) for entry in layers.values()),
        "layers": layers,
        "hooked": list(observe.hooked(model)),
        "noise": noise_state(model),
        "fingerprint_begin": opening.received,
        "fingerprint_end": total(observe.weight_sums(model, resident=False).values()).hex(),
        "resident_begin": opening.resident,
        "resident_end": total(resident.values()).hex(),
        "began_at": opening.began_at,
        "closed_at": time.time(),
        "pid": os.getpid(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        **facts,
    }
    return {**document, "sha256": document_sha256(document)}


def _witnessed(
    name: str, layer: Any, parts: tuple[Any, ...], opening: Opening, resident: dict[str, Sums]
) -> dict[str, Any]:
    """`_layer_entry`, with what hooks saw where another's declared kernel computes the layer."""
    entry = _layer_entry(name, layer, parts, opening, resident)
    witness = opening.witnesses.get(name)
    if witness is None:
        return entry
    seen = witness.entry(entry["kernel"])
    same = bool(seen["same_since_begin"] and entry["same_since_begin"])
    return {**entry, **seen, "resident": opening.witnessed_sums[name], "same_since_begin": same}


def _layer_entry(
    name: str, layer: Any, parts: tuple[Any, ...], opening: Opening, resident: dict[str, Sums]
) -> dict[str, Any]:
    """One layer: what it says of itself, what the graph counted in between, what it was seen to do."""
    from quant.probe import arithmetic_of
    from quant.vllm import observe

    recipe = opening.recipe
    record = observe.record_of(layer)
    counted, before = observe.counts(layer), opening.counts.get(name, {})
    rise = {key: value - before.get(key, 0) for key, value in counted.items()}
    said = arithmetic_of(recipe)
    columns = observe.probed_columns(layer, said.fmt, int(opening.received[:8], 16) ^ int(opening.began_at * 1e6))
    rounds_weights = record is not None and record.recipe.quantize_weights and record.syncs > 0
    return {
        "format": record.recipe.format if record is not None else None,
        "rule": record.recipe.scale_rule if record is not None else None,
        "block_size": record.recipe.block_size if record is not None else None,
        "dtype": str(layer.params_dtype).removeprefix("torch."),
        "kernel": observe.kernel_of(layer),
        "counters": "graph" if counted else "none",
        "weight_rounding": "at load",
        "checkpoint_names": [part.name for part in parts],
        "syncs": record.syncs if record is not None else 0,
        "received": record.received_sums.hex() if record is not None else None,
        "resident": record.resident_sums.hex() if record is not None else None,
        "resident_end": _resident(parts, resident),
        "same_since_begin": (
            opening.methods.get(name) is layer.quant_method
            and (record is None or opening.syncs.get(name) == record.syncs)
        ),
        "probed_columns": [columns.start, columns.stop],
        **vars(observe.probe(layer, said, columns)),
        "calls": rise.get("calls", 0),
        "rows": rise.get("rows", 0),
        "weight_calls": rise.get("calls", 0) if rounds_weights else 0,
        "activation_calls": rise.get("activation_calls", 0),
        "activation_rows": rise.get("activation_rows", 0),
    }


def _resident(parts: tuple[Any, ...], resident: dict[str, Sums]) -> str:
    """What lies there of one layer."""
    return total(resident[f"{part.name}.weight"] for part in parts if f"{part.name}.weight" in resident).hex()
