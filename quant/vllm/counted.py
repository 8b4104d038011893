"""Rounding and counting as one operation of the graph: what counted, rounded, compiled or captured or not.

Covers two custom operations whose int64 counters are mutated arguments, so that no compiler may drop them and no Python
needs to run. A hook added to a module after its graph was compiled never runs, and so never counts. Imports no vLLM.
"""

from __future__ import annotations

from typing import Any

import torch

from quant.rounding import rounded

COUNTERS = ("calls", "rows", "activation_calls", "activation_rows")
"""int64 each: products computed and their rows; products whose activations were rounded and their rows."""

_LIBRARY = torch.library.Library("laststep", "DEF")
_LIBRARY.define("round_activations(Tensor x, Tensor(a!) counters, str fmt, str rule) -> Tensor")
_LIBRARY.define("count_product(Tensor x, Tensor(a!) counters) -> ()")


def _round_activations(x: Any, counters: Any, fmt: str, rule: str) -> Any:
    result = rounded(x, fmt, rule)
    _count(x, counters)
    return result


def _count_product(x: Any, counters: Any) -> None:
    _count(x, counters[:2])


def _count(x: Any, counters: Any) -> None:
    """A call and its rows, for each pair of counters given; scalars only, so that a GPU can capture it."""
    counters[::2].add_(1)
    counters[1::2].add_(x.numel() // x.shape[-1])


_LIBRARY.impl("round_activations", _round_activations, "CompositeExplicitAutograd")
_LIBRARY.impl("count_product", _count_product, "CompositeExplicitAutograd")
torch.library.register_fake("laststep::round_activations", lambda x, counters, fmt, rule: torch.empty_like(x))
torch.library.register_fake("laststep::count_product", lambda x, counters: None)


def new_counters(device: Any = None) -> Any:
    """`COUNTERS` at 0: int64 (4,)."""
    return torch.zeros(len(COUNTERS), dtype=torch.int64, device=device)


def round_activations(x: Any, counters: Any, fmt: str, rule: str) -> Any:
    """`x` (..., K) on the grid of `fmt`; a product, a rounded product and its rows are counted."""
    return torch.ops.laststep.round_activations(x, counters, fmt, rule)


def count_product(x: Any, counters: Any) -> None:
    """A product whose activations stay as they are is counted."""
    torch.ops.laststep.count_product(x, counters)
