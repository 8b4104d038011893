"""On a CUDA GPU: the bits first, then throughput as a ratio to a device copy. Has not been run: no GPU was at hand.

`python -m benchmarks.quant_gpu` checks on the device, eager and compiled, that both formats give the CPU's bits (the
compiler's own division rounds otherwise than IEEE's unless `eager_numerics.division_rounding` is set, which NVFP4
needs), then times `fake_quantize` compiled with `out=` beside `copy_`, with CUDA events, at 8192 x 8192. The target is
0.85 of the copy for MXFP4. NVFP4 reads the tensor once more for its scale, so 2/3 is its bound. One line of JSON each;
exits 1 on a mismatch, 3 without a GPU.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch

from quant import FORMATS, fake_quantize

SIDE, REPEATS = 8192, 50


def milliseconds(call: Callable[[], object]) -> float:
    """The median of single calls on the device's own clock, after five that aren't timed."""
    for _ in range(5):
        call()
    times = []
    for _ in range(REPEATS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def differing(found: Any, wanted: Any) -> int:
    """Elements that differ in any bit, NaN equal to NaN."""
    same = (found.cpu() == wanted) & (found.cpu().signbit() == wanted.signbit())
    return int((~(same | (found.cpu().isnan() & wanted.isnan()))).sum())


def measured(fmt: str, rule: str, dtype: Any) -> dict[str, Any]:
    """One format, rule and type: bits against the CPU, then time against a copy."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(SIDE, SIDE, generator=generator) * torch.exp(torch.randn(SIDE, 1, generator=generator))
    x = values.to(dtype).cuda()
    out = torch.empty_like(x)
    compiled = torch.compile(lambda x, out: fake_quantize(x, fmt, rule=rule, out=out))
    wanted = fake_quantize(values.to(dtype), fmt, rule=rule)
    line = {
        "format": fmt,
        "rule": rule,
        "dtype": str(dtype).removeprefix("torch."),
        "mismatches_eager": differing(fake_quantize(x, fmt, rule=rule), wanted),
        "mismatches_compiled": differing(compiled(x, out), wanted),
    }
    copy = milliseconds(lambda: out.copy_(x))
    return {**line, "compiled_out_to_copy": round(copy / milliseconds(lambda: compiled(x, out)), 3)}


def main() -> int:
    if not torch.cuda.is_available():
        print("there is no CUDA GPU here", file=sys.stderr)
        return 3
    import torch._inductor.config as inductor

    inductor.eager_numerics.division_rounding = True
    failed = 0
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": str(torch.__version__)}), flush=True)
    for fmt, rules in FORMATS.items():
        for rule in rules:
            for dtype in (torch.float32, torch.bfloat16, torch.float16):
                line = measured(fmt, rule, dtype)
                failed |= line["mismatches_eager"] | line["mismatches_compiled"]
                print(json.dumps(line), flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
