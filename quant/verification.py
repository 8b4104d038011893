"""Whether an attestation proves what was asked for: each reason against it as one sentence.

Pure and without torch, so that a monitor can judge what another process attested. The document's form is
`quant.attestation`'s. The sha256 in it finds damage and careless edits; it is no signature against a forger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCHEMA = 1
NAMED_LAYERS = 3
"""How many layers a sentence names before it counts the rest."""

_COUNTING = ("graph", "hooks")
"""Where rows are counted: in the graph, or outside of it in eager mode (`quant.witness`)."""

_NUMERIC_KEYS = ("format", "scale_rule", "block_size", "quantize_weights", "quantize_activations", "dtype")


def document_sha256(attestation: Mapping[str, Any]) -> str:
    """The sha256 over everything in the attestation but itself."""
    rest = {key: value for key, value in attestation.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def refusals(
    attestation: Mapping[str, Any],
    *,
    recipe: Mapping[str, Any] | None,
    checkpoint_fingerprint: str | None,
    start_fingerprint: str | None,
) -> tuple[str, ...]:
    """Why this attestation doesn't prove an evaluation of that checkpoint with that recipe; empty: it does.

    Both fingerprints are those of the weights as stored. No start fingerprint: that check is left out. Recipe None: the
    unquantized model was asked for.
    """
    try:
        broken = _form_refusals(attestation)
        if broken:
            return broken
        quantization = quantization_refusals(attestation, recipe)
        found = [*quantization, *_weights_refusals(attestation, checkpoint_fingerprint, start_fingerprint)]
        for number, segment in enumerate(attestation.get("segments", ()), 1):
            asked = {"checkpoint_fingerprint": checkpoint_fingerprint, "start_fingerprint": start_fingerprint}
            found += [f"segment {number}: {reason}" for reason in refusals(segment, recipe=recipe, **asked)]
        return tuple(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return (f"the attestation is malformed: {type(error).__name__} at {error}",)


def _form_refusals(attestation: Mapping[str, Any]) -> tuple[str, ...]:
    if not attestation:
        return ("there is no attestation",)
    if attestation.get("schema") != SCHEMA:
        return (f"the attestation has schema {attestation.get('schema')}, this version reads {SCHEMA}",)
    if attestation.get("sha256") != document_sha256(attestation):
        return ("the attestation was changed after it was made",)
    return ()


def quantization_refusals(attestation: Mapping[str, Any], recipe: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The part of `refusals` about what was active, without the question whose weights they were."""
    if recipe is None:
        return (*_unquantized_refusals(attestation), *_surroundings_refusals(attestation))
    expected, found = attestation["expected"], attestation["found"]
    layers = attestation["layers"]
    reasons = [*_recipe_refusals(attestation["recipe"], recipe), *_surroundings_refusals(attestation)]
    if not expected:
        reasons.append("the recipe means no linear layer of this model")
    missing = [name for name in expected if name not in found]
    if missing:
        reasons.append(f"not quantized: {_names(missing)} of {len(expected)} expected layers")
    extra = [name for name in found if name not in expected]
    if extra:
        reasons.append(f"quantized but not meant by the recipe: {_names(extra)}")
    problems: dict[str, list[str]] = {}
    for name in expected:
        for problem in layer_problems(layers[name], recipe) if name in found else ():
            problems.setdefault(problem, []).append(name)
    reasons.extend(f"{problem}: {_names(names)}" for problem, names in problems.items())
    return tuple(reasons)


def _surroundings_refusals(attestation: Mapping[str, Any]) -> list[str]:
    """What lies around the layers: noise, hooks, names that count twice, rows that no layer saw."""
    reasons = []
    noise = attestation.get("noise")
    if noise is not None and noise["active"]:
        reasons.append("noise was on during the evaluation")
    if attestation.get("hooked"):
        reasons.append(f"forward hooks, which no compiled graph runs: {_names(list(attestation['hooked']))}")
    for key in ("expected", "found"):
        names = attestation[key]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            reasons.append(f"{key} twice: {_names(twice)}")
    tokens = attestation.get("tokens")
    counted = {name: layer for name, layer in attestation["layers"].items() if layer.get("counters") in _COUNTING}
    if tokens is None and any(layer["counters"] == "hooks" for layer in counted.values()):
        reasons.append("how many tokens were computed isn't told, so products that no hook saw can't be excluded")
    if tokens is not None:
        short = [name for name, layer in counted.items() if layer["rows"] < tokens]
        if short:
            reasons.append(f"fewer rows were multiplied than the {tokens} tokens computed: {_names(short)}")
    usual = sorted(layer["rows"] for layer in counted.values())[(len(counted) - 1) // 2] if counted else 0
    other = [name for name, layer in counted.items() if layer["rows"] > usual]
    if other:
        reasons.append(f"more rows were multiplied than in the other layers: {_names(other)}")
    resident = attestation.get("resident_begin"), attestation.get("resident_end")
    if resident[0] != resident[1]:
        reasons.append("the rounded weights changed during the evaluation")
    return reasons


def _unquantized_refusals(attestation: Mapping[str, Any]) -> tuple[str, ...]:
    if attestation["recipe"] is not None or attestation["found"]:
        return ("the unquantized model was asked for, but the engine quantized",)
    altered = [
        name
        for name, layer in attestation["layers"].items()
        if not (layer["weights_match"] and layer["activations_match"])
    ]
    return (f"the unquantized model was asked for, but the product was another: {_names(altered)}",) if altered else ()


def _recipe_refusals(attested: Mapping[str, Any] | None, asked: Mapping[str, Any]) -> list[str]:
    """A recipe's name may differ; what it does may not."""
    if attested is None:
        return ["the engine evaluated without a recipe"]
    reasons = [
        f"{key} was `{attested.get(key)}`, asked for was `{asked.get(key)}`"
        for key in _NUMERIC_KEYS
        if attested.get(key) != asked.get(key)
    ]
    if sorted(attested.get("exclude", ())) != sorted(asked.get("exclude", ())):
        reasons.append(f"left alone were {list(attested.get('exclude', ()))}, asked for was {list(asked['exclude'])}")
    if sorted(attested.get("kernels", ())) != sorted(asked.get("kernels", ())):
        reasons.append(
            f"kernels declared were {list(attested.get('kernels', ()))}, asked for was {list(asked.get('kernels', ()))}"
        )
    shared = attested.get("shared_scales", ()), asked.get("shared_scales", ())
    if sorted(shared[0]) != sorted(shared[1]):
        reasons.append(f"scales were shared among {list(shared[0])}, asked for was {list(shared[1])}")
    if sorted(attested.get("include", ())) != sorted(asked.get("include", ())):
        reasons.append(
            f"meant were only {list(attested.get('include', ()))}, asked for was {list(asked.get('include', ()))}"
        )
    return reasons


def layer_problems(layer: Mapping[str, Any], recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Why one quantized layer doesn't prove the recipe, each the beginning of a sentence; empty: it does."""
    block_size = layer.get("block_size", recipe["block_size"])
    checks = [
        (layer["format"] == recipe["format"], f"format was {layer['format']}"),
        (layer["rule"] == recipe["scale_rule"], f"scale rule was {layer['rule']}"),
        (block_size == recipe["block_size"], f"blocks were of {block_size}"),
        (layer["dtype"] == recipe["dtype"], f"weights were {layer['dtype']}"),
        (layer["same_since_begin"], "quantized only after the evaluation began, or anew"),
    ]
    if layer.get("counters") == "none":
        checks.append((False, "its kernel counts nothing in the graph, so its use isn't shown"))
    else:
        checks.append((layer["calls"] > 0, "not used during the evaluation"))
    if layer.get("counters") == "hooks":
        kernel = str(layer["kernel"])
        declared = any(name in recipe.get("kernels", ()) for name in kernel.split("/"))
        checks.append((declared, f"computed by {kernel}, which the recipe doesn't declare"))
    checks += _weight_checks(layer, recipe["quantize_weights"])
    checks += _activation_checks(layer, recipe["quantize_activations"])
    return tuple(problem for holds, problem in checks if not holds)


def _weight_checks(layer: Mapping[str, Any], quantize: bool) -> list[tuple[bool, str]]:
    calls, rounded = layer["calls"], layer["weight_calls"]
    if not quantize:
        return [(layer["weights_match"] and rounded == 0, "weights were rounded, the recipe keeps them")]
    return [
        (layer["weights_on_grid"], "weights multiplied were off the grid"),
        (layer["weights_match"], "weights multiplied were not the layer's own, rounded by the recipe"),
        (rounded >= calls, "weights were not rounded in every product"),
        (rounded <= calls, "weights were rounded more often than multiplied"),
        (layer.get("resident") == layer.get("resident_end"), "weights were not those that were rounded at the sync"),
    ]


def _activation_checks(layer: Mapping[str, Any], quantize: bool) -> list[tuple[bool, str]]:
    calls, rounded = layer["calls"], layer["activation_calls"]
    if not quantize:
        return [(layer["activations_match"] and rounded == 0, "activations were rounded, the recipe keeps them")]
    return [
        (layer["activations_match"], "activations were not rounded by the recipe's rule"),
        (rounded >= calls and layer["activation_rows"] >= rounded, "activations were not rounded in every product"),
        (rounded <= calls, "activations were rounded more often than multiplied"),
    ]


def _weights_refusals(
    attestation: Mapping[str, Any], checkpoint_fingerprint: str | None, start_fingerprint: str | None
) -> list[str]:
    begin, end = attestation["fingerprint_begin"], attestation["fingerprint_end"]
    reasons = []
    if begin != end:
        reasons.append("the weights changed during the evaluation")
    if checkpoint_fingerprint is None:
        reasons.append("the checkpoint's fingerprint is not known, so it can't be told whose weights were evaluated")
    elif not _same_weights(attestation, "checkpoint_fingerprint", checkpoint_fingerprint):
        reasons.append("the weights evaluated are not the checkpoint's")
    if start_fingerprint is not None and _same_weights(attestation, "start_fingerprint", start_fingerprint):
        reasons.append("the weights evaluated are those of the start model")
    return reasons


def _same_weights(attestation: Mapping[str, Any], key: str, stored: str) -> bool:
    """Whether the weights evaluated are those with this fingerprint as stored.

    Evaluated in another type than stored, they bear another fingerprint: then the attestation names both, each read
    from the same files.
    """
    begin = attestation["fingerprint_begin"]
    return begin == stored or (attestation.get(f"{key}_stored") == stored and attestation.get(key) == begin)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_LAYERS} more" if len(names) > NAMED_LAYERS else ""
    return ", ".join(names[:NAMED_LAYERS]) + more
