"""Throughput of `fake_quantize` as a ratio to `copy_` of the same tensor in the same run: 1.0 is the speed of memory.

Both formats at 4096 x 4096, float32 and bfloat16: compiled with `out=`, and eager. `python -m benchmarks.quant_speed`
prints one line of JSON each. A copy and a call alternate, since what else runs here slows both: `compiled_out_to_copy`
compares the fastest of each, `median_of_pairs` is the median of each pair's own ratio.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from quant import FORMATS, fake_quantize

SIDE = 4096
REPEATS = 40


def seconds(call: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def fastest(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest call, after one that isn't timed: what else runs here can only slow a call down."""
    call()
    return min(seconds(call) for _ in range(repeats))


def ratios_to_copy(x: Any, out: Any, call: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """How many times the speed of `out.copy_(x)`: of the fastest of each, and the median over pairs."""
    call()
    pairs = [(seconds(lambda: out.copy_(x)), seconds(call)) for _ in range(repeats)]
    copies, calls = zip(*pairs)
    return min(copies) / min(calls), statistics.median(copy / taken for copy, taken in pairs)


def measured(fmt: str, dtype: Any) -> dict[str, Any]:
    """One format's figures for one type."""
    x = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(1)).to(dtype)
    out = torch.empty_like(x)
    compiled = torch.compile(lambda x, out: fake_quantize(x, fmt, out=out))
    of_fastest, of_pairs = ratios_to_copy(x, out, lambda: compiled(x, out))
    eager, _ = ratios_to_copy(x, out, lambda: fake_quantize(x, fmt), 3)
    return {
        "format": fmt,
        "dtype": str(dtype).removeprefix("torch."),
        "compiled_out_to_copy": round(of_fastest, 3),
        "median_of_pairs": round(of_pairs, 3),
        "eager_to_copy": round(eager, 4),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    for fmt in FORMATS:
        for dtype in (torch.float32, torch.bfloat16):
            print(json.dumps(measured(fmt, dtype)), flush=True)


if __name__ == "__main__":
    main()
