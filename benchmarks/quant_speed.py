"""Throughput of `fake_quantize` as a ratio to `copy_` of the same tensor in the same run: 1.0 is the speed of memory.

Both formats at 4096 x 4096, float32 and bfloat16: compiled with `out=`, and eager. `python -m benchmarks.quant_speed`
prints one line of JSON each. The copy is timed before and after each measurement, and the faster of the two counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch

from quant import FORMATS, fake_quantize

SIDE = 4096
REPEATS = 15


def fastest(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest call, after one that isn't timed: what else runs here can only slow a call down."""
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def ratio_to_copy(x: Any, out: Any, call: Callable[[], object], repeats: int = REPEATS) -> float:
    """How many times the speed of `out.copy_(x)`."""
    before = fastest(lambda: out.copy_(x))
    taken = fastest(call, repeats)
    return min(before, fastest(lambda: out.copy_(x))) / taken


def measured(fmt: str, dtype: Any) -> dict[str, Any]:
    """One format's figures for one type."""
    x = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(1)).to(dtype)
    out = torch.empty_like(x)
    compiled = torch.compile(lambda x, out: fake_quantize(x, fmt, out=out))
    return {
        "format": fmt,
        "dtype": str(dtype).removeprefix("torch."),
        "compiled_out_to_copy": round(ratio_to_copy(x, out, lambda: compiled(x, out)), 3),
        "eager_to_copy": round(ratio_to_copy(x, out, lambda: fake_quantize(x, fmt), 3), 4),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    for fmt in FORMATS:
        for dtype in (torch.float32, torch.bfloat16):
            print(json.dumps(measured(fmt, dtype)), flush=True)


if __name__ == "__main__":
    main()
