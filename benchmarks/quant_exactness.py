"""Bit for bit: how many values of how many differ from an oracle that shares no code with the formats.

MXFP4, every rule, eager and compiled, against numpy and ml_dtypes: every bfloat16 value beside a peak of every
exponent; ties and rule boundaries one unit around at every float32 exponent; random float32. Against exact rationals: a
sample of those. NVFP4, eager and compiled: random float32 against compressed-tensors' own code and a port of vLLM's
emulation. `python -m benchmarks.quant_exactness [--values 1e8]`; prints one JSON document, exits 1 on any mismatch.
The sign of a zero counts, but for NVFP4, whose two references lose the sign of -0. NaN equals NaN.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import torch

from benchmarks import peers_environment, quant_references
from quant import FORMATS, fake_quantize
from tests.quant import oracle

CHUNK_ROWS = 1 << 16
MXFP4_RULES = FORMATS["mxfp4"]
BOUNDARIES = (0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 7.0, 7.5, 8.0)
NEXT = "compressed-tensors"


def every_bfloat16_beside_every_exponent() -> Iterator[Any]:
    """All finite bfloat16 values in order, 31 to a block, each block once with a peak of every exponent."""
    every = torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(torch.bfloat16)
    values = every[every.isfinite()].float().sort().values
    values = torch.cat([values, values[: -values.numel() % 31]]).reshape(-1, 31)
    mantissas = torch.arange(len(values)) % 128
    for exponent in range(255):
        peaks = ((exponent << 23) | (mantissas << 16)).to(torch.int32).view(torch.float32)
        yield torch.cat([peaks[:, None], values], 1).bfloat16()


def boundaries_at_every_exponent() -> Iterator[Any]:
    """Ties and rule boundaries, three units around each, as peak and beside every peak, at every exponent."""
    base = torch.tensor(BOUNDARIES).view(torch.int32)
    around = torch.cat([base + unit for unit in range(-3, 4)]).view(torch.float32).double()
    for exponent in range(-150, 128):
        scaled = (around * 2.0**exponent).float()
        scaled = scaled[scaled.isfinite()]
        if len(scaled):
            rows = [torch.cat([peak.expand(1), scaled[torch.randperm(len(scaled))[:31]]]) for peak in scaled]
            yield torch.stack([torch.nn.functional.pad(row, (0, 32 - len(row))) for row in rows])


def random_float32(values: int) -> Iterator[Any]:
    """Normal values of several spreads, and any finite bits at all, about 2 million at a time."""
    generator = torch.Generator().manual_seed(1)
    for index in range(-(-values // (CHUNK_ROWS * 32))):
        if index % 4 == 3:
            words = torch.randint(-(1 << 31), 1 << 31, (CHUNK_ROWS, 32), generator=generator).to(torch.int32)
            x = words.view(torch.float32)
            yield torch.where(x.isfinite(), x, 1.0)
        else:
            x = torch.randn(CHUNK_ROWS, 32, generator=generator)
            yield x * torch.exp((index % 4) * 2.0 * torch.randn(CHUNK_ROWS, 1, generator=generator))


def differing(found: Any, wanted: Any, *, signs: bool = True) -> int:
    """Elements that differ; the sign of a zero counts where asked."""
    same = (found == wanted) | (found.isnan() & wanted.isnan())
    if signs:
        same &= (found.signbit() == wanted.signbit()) | found.isnan()
    return int((~same).sum())


class Compiled:
    """`fake_quantize` compiled once for each format and rule, with any number of rows."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], Any] = {}

    def __call__(self, x: Any, fmt: str, rule: str) -> Any:
        if (fmt, rule) not in self.made:
            compiled = torch.compile(lambda x, out: fake_quantize(x, fmt, rule=rule, out=out), dynamic=True)
            self.made[fmt, rule] = compiled
        return self.made[fmt, rule](x, torch.empty_like(x))


def against_oracle(chunks: Iterator[Any], compiled: Compiled) -> dict[str, int]:
    """Every chunk by every rule, eager and compiled."""
    count = {"values": 0, "mismatches_eager": 0, "mismatches_compiled": 0}
    for x in chunks:
        name = str(x.dtype).removeprefix("torch.")
        for rule in MXFP4_RULES:
            wanted = torch.from_numpy(oracle.quantize_dequantize(x.float().numpy(), rule, name)).to(x.dtype)
            count["values"] += x.numel()
            count["mismatches_eager"] += differing(fake_quantize(x, "mxfp4", rule=rule), wanted)
            count["mismatches_compiled"] += differing(compiled(x, "mxfp4", rule), wanted)
    return count


def against_rationals(values: int) -> dict[str, int]:
    """Blocks of the boundaries and of random values, by exact arithmetic."""
    sources = itertools.chain(boundaries_at_every_exponent(), random_float32(CHUNK_ROWS * 32))
    count = {"values": 0, "mismatches": 0}
    blocks = (row for chunk in sources for row in chunk[torch.randperm(len(chunk))[:8]])
    for row, rule in zip(itertools.cycle(list(blocks)), itertools.cycle([*MXFP4_RULES, MXFP4_RULES[0]])):
        found = [Fraction(value) for value in fake_quantize(row, "mxfp4", rule=rule).tolist()]
        wanted = oracle.exact_block(row.tolist(), rule)
        count["values"] += len(found)
        count["mismatches"] += sum(one != other for one, other in zip(found, wanted))
        if count["values"] >= values:
            break
    return count


def nvfp4_against(reference: Callable[[Any], Any], rule: str, values: int, compiled: Compiled) -> dict[str, int]:
    """Random tensors of about 2 million values, each with a tensor scale of its own."""
    count = {"values": 0, "mismatches_eager": 0, "mismatches_compiled": 0}
    for index, x in enumerate(random_float32(values * 4 // 3)):
        if index % 4 == 3:
            continue
        wanted = reference(x)
        count["values"] += x.numel()
        count["mismatches_eager"] += differing(fake_quantize(x, "nvfp4", rule=rule), wanted, signs=False)
        count["mismatches_compiled"] += differing(compiled(x, "nvfp4", rule), wanted, signs=False)
    return count


def sections(values: int) -> dict[str, Callable[[Compiled], dict[str, int]]]:
    """By name; `compressed-tensors` needs the peers' environment."""
    return {
        "mxfp4 every bfloat16 x every exponent": lambda c: against_oracle(every_bfloat16_beside_every_exponent(), c),
        "mxfp4 float32 boundaries": lambda c: against_oracle(boundaries_at_every_exponent(), c),
        "mxfp4 random float32": lambda c: against_oracle(random_float32(values // len(MXFP4_RULES)), c),
        "mxfp4 exact rationals": lambda c: against_rationals(max(values // 1000, 1000)),
        "nvfp4 vLLM port": lambda c: nvfp4_against(quant_references.vllm_nvfp4_port(), "reciprocal", values, c),
        f"nvfp4 {NEXT}": lambda c: nvfp4_against(quant_references.compressed_tensors_nvfp4(), "even", values, c),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=float, default=1e8, help="random values a section")
    parser.add_argument("--only", help="sections whose name holds this")
    arguments = parser.parse_args()
    compiled, failed = Compiled(), False
    for name, run in sections(int(arguments.values)).items():
        if arguments.only and arguments.only not in name:
            continue
        began = time.monotonic()
        if name.endswith(NEXT) and sys.executable != str(peers_environment.python()):
            said = peers_environment.install(peers_environment.PEERS[0])
            words = ["-m", "benchmarks.quant_exactness", "--values", str(arguments.values), "--only", NEXT]
            failed |= bool(said) or subprocess.run([peers_environment.python(), *words]).returncode != 0
            continue
        result = run(compiled)
        failed |= any(count for word, count in result.items() if word.startswith("mismatches"))
        print(json.dumps({"section": name, **result, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
