"""`torch.compile` gives the bits of eager mode, for both formats, with and without `out`. Needs a C++ compiler."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from quant import fake_quantize

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not shutil.which("g++") and not shutil.which("clang++"), reason="torch.compile needs one"),
]


def values(dtype: Any) -> Any:
    """Every exponent, ties, subnormals, NaN and infinities; the last block ragged."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(256, 72, generator=generator) * torch.exp2(torch.randint(-20, 12, (256, 1), generator=generator))
    x[0] *= 2.0**-120
    x[1, :20] = torch.tensor([4.0, *[0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0] * 2, *[-0.0, 0.0, 6.0, 7.0, 8.0]])
    return x.to(dtype)


@pytest.mark.parametrize(
    ("fmt", "rule", "dtype"),
    [
        ("mxfp4", "even", torch.float32),
        ("mxfp4", "rceil", torch.bfloat16),
        ("nvfp4", "even", torch.float32),
        ("nvfp4", "reciprocal", torch.bfloat16),
    ],
)
def test_compiled_is_eager_bit_for_bit(fmt: str, rule: str, dtype: Any) -> None:
    x = values(dtype)
    if fmt == "mxfp4":
        x[2, 3], x[3, 40], x[4, 70] = float("nan"), -float("nan"), float("inf")
    wanted = fake_quantize(x, fmt, rule=rule)

    @torch.compile(fullgraph=True)
    def compiled(x: Any, out: Any) -> Any:
        return fake_quantize(x, fmt, rule=rule, out=out)

    out = torch.empty_like(x)
    compiled(x, out)
    assert torch.equal(torch.isnan(out), torch.isnan(wanted))
    same = torch.where(out.isnan(), torch.zeros_like(out), out).view(torch.uint8)
    assert torch.equal(same, torch.where(wanted.isnan(), torch.zeros_like(out), wanted).view(torch.uint8))


@pytest.mark.parametrize("fmt", ["mxfp4", "nvfp4"])
def test_compiled_blocks_down_the_columns_of_a_strided_tensor_are_eagers(fmt: str) -> None:
    x = values(torch.float32)[10:].repeat(1, 2)[:, ::2]
    compiled = torch.compile(lambda x: fake_quantize(x, fmt, block_dim=0), fullgraph=True)
    assert torch.equal(compiled(x), fake_quantize(x, fmt, block_dim=0))
