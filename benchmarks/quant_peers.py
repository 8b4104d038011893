"""Other people's MXFP4 and NVFP4 on the same inputs: mismatches with this library's rule, and throughput beside it.

`python -m benchmarks.quant_peers` makes an environment of its own beside this torch, installs each peer there (one that
does not install is told), and prints one line of JSON a peer. Mismatches: elements that differ from `fake_quantize`
by the rule that the peer claims, signs of zeros aside. Throughput: `copy_` of the same tensor is 1.0, the peer in eager
mode as its users call it; `times_slower` is beside `fake_quantize` compiled with `out=` in the same run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import peers_environment, quant_references
from benchmarks.quant_speed import fastest
from quant import fake_quantize

SIDE = 2048
SLOW_ROWS = 8
"""Rows given to a peer that goes block by block in Python."""

REFERENCES: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
    ("compressed-tensors", "mxfp4", "even", quant_references.compressed_tensors_mxfp4),
    ("compressed-tensors (as float32)", "nvfp4", "even", quant_references.compressed_tensors_nvfp4),
    ("vLLM emulation (port)", "nvfp4", "reciprocal", quant_references.vllm_nvfp4_port),
    ("torchao", "mxfp4", "floor", lambda: quant_references.torchao_mxfp4("floor")),
    ("torchao", "mxfp4", "even", lambda: quant_references.torchao_mxfp4("even")),
    ("torchao", "mxfp4", "rceil", lambda: quant_references.torchao_mxfp4("rceil")),
    ("torchao", "mxfp4", "ceil", lambda: quant_references.torchao_mxfp4("ceil")),
    ("torchao", "nvfp4", "even", quant_references.torchao_nvfp4),
    ("amd-quark", "mxfp4", "even", quant_references.quark_mxfp4),
    ("nvidia-modelopt", "mxfp4", "rceil", quant_references.modelopt_mxfp4),
    ("nvidia-modelopt", "nvfp4", "even", quant_references.modelopt_nvfp4),
    ("gfloat", "mxfp4", "floor", quant_references.gfloat_mxfp4),
)


def measured(name: str, fmt: str, rule: str, make: Callable[[], Any], x: Any) -> dict[str, Any]:
    """One peer on one tensor; what it raised, where it can't run here."""
    line: dict[str, Any] = {"peer": name, "format": fmt, "rule": rule, "dtype": str(x.dtype).removeprefix("torch.")}
    values = x[:SLOW_ROWS] if name == "gfloat" else x
    try:
        quantize = make()
        found = quantize(values.clone())
    except Exception as error:  # A peer may fail in any way; that is its result.
        return {**line, "failed": f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"}
    out = torch.empty_like(values)
    compiled = torch.compile(lambda x, out: fake_quantize(x, fmt, rule=rule, out=out))
    ours = fastest(lambda: compiled(values, out), 9)
    copy = fastest(lambda: out.copy_(values), 9)
    taken = fastest(lambda: quantize(values), 1 if name == "gfloat" else 3)
    differing = int((found.to(values.dtype) != fake_quantize(values, fmt, rule=rule)).sum())
    return {
        **line,
        "values": values.numel(),
        "mismatches": differing,
        "percent": round(100 * differing / values.numel(), 4),
        "to_copy": round(copy / taken, 5),
        "times_slower": round(taken / ours, 1),
    }


def main() -> int:
    if sys.executable != str(peers_environment.python()):
        for requirement in peers_environment.PEERS:
            said = peers_environment.install(requirement)
            if said:
                print(json.dumps({"peer": requirement, "did not install": said}), flush=True)
        words = ["-W", "ignore", "-m", "benchmarks.quant_peers"]
        return subprocess.run([peers_environment.python(), *words], env={**os.environ, "TQDM_DISABLE": "1"}).returncode
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SIDE, SIDE, generator=generator) * torch.exp(2 * torch.randn(SIDE, 1, generator=generator))
    for dtype in (torch.float32, torch.bfloat16):
        for reference in REFERENCES:
            print(json.dumps(measured(*reference, x.to(dtype))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
