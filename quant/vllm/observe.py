"""What a vLLM model is and did, seen from inside its worker: layers, counters, probes, fingerprints.

Covers any `LinearBase`, quantized by us or by anyone: of others' layers the probes say what they multiply. Judges
nothing (`quant.verification`). Imports vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from vllm.model_executor.layers.linear import LinearBase, UnquantizedLinearMethod
from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding

from quant.fingerprint import Sums, sums, tied_heads
from quant.probe import Arithmetic, Probe, Product, arithmetic_of, probe_product
from quant.recipe import Recipe
from quant.rounding import BLOCK_SIZES
from quant.vllm.counted import COUNTERS
from quant.vllm.layer_record import LayerRecord, Part, cut
from quant.witness import Witness, is_declared

PROBED_COLUMNS = 512
"""Columns read back of each weight that is resident, whose fingerprint covers all of it."""


def linears(model: Any) -> dict[str, Any]:
    """Every linear layer of the model, by vLLM's name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LinearBase)}


def record_of(layer: Any) -> LayerRecord | None:
    """What our method knows of the layer; None for others' layers."""
    return getattr(layer, "laststep_record", None)


def parts_of(model: Any, name: str, layer: Any) -> tuple[Part, ...]:
    """Which tensors of the checkpoint the layer is made of."""
    record = record_of(layer)
    if record is not None:
        return record.parts
    stem, dot, last = name.rpartition(".")
    names = (getattr(model, "packed_modules_mapping", None) or {}).get(last, [last])
    sizes = list(getattr(layer, "output_partition_sizes", [layer.output_size]))
    return cut([f"{stem}{dot}{each}" for each in names], sizes if len(sizes) == len(names) else [sum(sizes)])


def is_meant(parts: tuple[Part, ...], recipe: Recipe | None) -> bool:
    """Whether the recipe means this layer. Without a recipe: every layer."""
    return recipe is None or not all(recipe.excludes(part.name) for part in parts)


def is_quantized(layer: Any) -> bool:
    """Whether vLLM gave the layer a method other than its unquantized one."""
    return not isinstance(layer.quant_method, UnquantizedLinearMethod)


def counts(layer: Any) -> dict[str, int]:
    """The graph's counters as they stand; of layers that have none, nothing."""
    counters = getattr(layer, "laststep_counters", None)
    return {} if counters is None else dict(zip(COUNTERS, counters.tolist()))


def weight_sums(model: Any, *, resident: bool) -> dict[str, Sums]:
    """The sums of every parameter under its checkpoint's name: as received, or as it lies there (`resident`).

    Of a layer whose weight is packed for its kernel, what it multiplies with is read back. A head that is the
    embeddings doesn't count, as in `quant.fingerprint.fingerprint`.
    """
    found: dict[str, Sums] = {}
    for name, layer in linears(model).items():
        record = record_of(layer)
        if record is not None and not resident:
            found.update({f"{part}.weight": value for part, value in record.received.items()})
        else:
            weight = multiplied(layer)
            found.update({f"{part.name}.weight": part.sums(weight) for part in parts_of(model, name, layer)})
    modules = dict(model.named_modules())
    twice = tied_heads(dict(model.named_parameters()))
    for name, parameter in model.named_parameters():
        if name in twice:
            continue
        owner_name, _, suffix = name.rpartition(".")
        owner = modules[owner_name]
        if isinstance(owner, LinearBase):
            if suffix == "bias":
                parts = parts_of(model, owner_name, owner)
                found.update({f"{part.name}.bias": part.sums(parameter.data, "bias") for part in parts})
        elif isinstance(owner, VocabParallelEmbedding):
            found[name] = sums(name, parameter.data[: owner.org_vocab_size])
        else:
            found[name] = sums(name, parameter.data)
    return found


def plain_weight(layer: Any) -> Any:
    """The layer's weight as (out, in) of floats; None where a kernel packed it."""
    weight = getattr(layer, "weight", None)
    shape = (sum(getattr(layer, "output_partition_sizes", [layer.output_size])), layer.input_size)
    return weight.data if weight is not None and weight.shape == shape and weight.is_floating_point() else None


def multiplied(layer: Any) -> Any:
    """The weight that the layer multiplies with: its own, or read back."""
    weight = plain_weight(layer)
    with torch.inference_mode():
        return product_of(layer).columns() if weight is None else weight


def product_of(layer: Any) -> Product:
    """The layer as its model calls it, but for hooks, which no graph runs."""
    like = plain_weight(layer)
    if like is None:
        device = next((each.device for each in (*layer.parameters(), *layer.buffers())), torch.device("cpu"))
        like = torch.empty(0, dtype=layer.params_dtype, device=device)
    return Product(lambda x: layer.quant_method.apply(layer, x, None), layer.input_size, like)


def probe(layer: Any, said: Arithmetic, columns: range) -> Probe:
    """What the layer's own kernel does. A layer that its kernel refuses to compute matches nothing."""
    counters = getattr(layer, "laststep_counters", None)
    before = None if counters is None else counters.clone()
    try:
        with torch.inference_mode():
            return probe_product(product_of(layer), said, multiplied(layer), columns.start, columns.stop)
    except (RuntimeError, ValueError, AssertionError, NotImplementedError):
        return Probe(False, False, False)
    finally:
        if counters is not None:
            counters.copy_(before)


def probed_columns(layer: Any, fmt: str, seed: int) -> range:
    """Whole blocks, at most `PROBED_COLUMNS`, from a place that `seed` chooses anew for each attestation."""
    block = BLOCK_SIZES[fmt]
    width = min(PROBED_COLUMNS, layer.input_size)
    places = (layer.input_size - width) // block + 1
    begin = (seed % places) * block
    return range(begin, begin + width)


def witnesses(model: Any, recipe: Recipe | None) -> dict[str, Witness]:
    """One for each layer that a kernel computes which the recipe declares, and that counts nothing in the graph."""
    if recipe is None or not recipe.kernels:
        return {}
    said = arithmetic_of(recipe)
    return {
        name: Witness(layer, said, multiplied(layer), None if layer.skip_bias_add else layer.bias)
        for name, layer in linears(model).items()
        if not counts(layer) and is_quantized(layer) and is_declared(kernel_of(layer), recipe.kernels)
    }


def hooked(model: Any) -> Iterator[str]:
    """Names of linear layers with forward hooks: what a hook does in Python, a compiled graph need not do."""
    for name, layer in linears(model).items():
        if layer._forward_pre_hooks or layer._forward_hooks:
            yield name


def kernel_of(layer: Any) -> str:
    """The names of the method and, where it has one, of its scheme and kernel."""
    method = layer.quant_method
    scheme = getattr(layer, "scheme", None)
    kernel = getattr(scheme, "kernel", None) or getattr(method, "kernel", None)
    return "/".join(type(each).__name__ for each in (method, scheme, kernel) if each is not None)
