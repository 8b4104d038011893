"""MXFP4: E2M1 elements with one E8M0 (power of two) scale for each block of 32, as in the OCP MX specification.

Covers the grid, the four scale rules and quantize-dequantize. Does not cover packing into bytes, or gradients.

What happens to special values, the same for every rule and type:

- Zeros: a block of zeros stays zeros. Signs of zeros are kept, and a negative value that rounds to zero gives -0, since
  E2M1 has a -0.
- NaN or an infinity anywhere in a block: the whole block becomes NaN, since its scale is E8M0's NaN. No element of it
  survives, so nothing overflowed can pass for a number.
- Subnormals: exact. The smallest scale is 2**-127, itself a float32 subnormal; smaller blocks are rounded with it, to
  multiples of 2**-128. (Under `torch.set_flush_denormal(True)` such blocks become zeros.)
- The largest values: the scale stops at the largest one for which 6 times it is finite in the tensor's type (2**125 in
  float32 and bfloat16, 2**13 in float16), and elements saturate at 6 times the scale: a finite block stays finite.
- A last block shorter than 32 has a scale of its own, of the elements that it has.
- Ties go to the even mantissa. Quantizing what is quantized changes nothing, whatever the rule was.
"""

from __future__ import annotations

from typing import Any

import torch

from quant.errors import FormatError

NAME = "mxfp4"
BLOCK_SIZE = 32
GRID = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""The magnitudes of E2M1. `GRID[-1]` is where elements saturate."""

RULE_ADDENDS = {"floor": 0, "even": 0x200000, "rceil": 0x3FFFFF, "ceil": 0x7FFFFF}
"""How the scale follows from a block's largest magnitude: add this to its float32 bits, keep the exponent, subtract 2.

floor: the largest magnitude's exponent (OCP); up to 7.99 times the scale, so it saturates. even: that magnitude rounded
to one mantissa bit first (Quark, compressed-tensors, vLLM). rceil: the smallest scale that doesn't saturate (NVIDIA).
ceil: its exponent rounded up."""

_EXPONENT_MASK = 0x7F800000
_MANTISSA_BITS = 23
_E2M1_LARGEST_EXPONENT = 2
_ONE_BITS = 127 << _MANTISSA_BITS
_SMALLEST_SCALE_BITS = 0x00400000
"""2**-127, the smallest E8M0: a float32 subnormal. Every smaller result of the rule is clamped up to it."""
_LARGEST_SCALE_BITS = {torch.float32: 252 << 23, torch.bfloat16: 252 << 23, torch.float16: (127 + 13) << 23}
_ROUNDER = float(1 << 22)
"""A float32 in [2**22 p, 2**23 p) has the unit p / 2, E2M1's step between p and 2 p: adding it rounds there."""


def quantize_dequantize(x: Any, *, rule: str = "even", block_dim: int = -1, out: Any = None) -> Any:
    """`x` on the MXFP4 grid, in its own shape and type; into `out` where given (which may be `x` itself).

    Blocks run along `block_dim`. No gradient passes. Raises `FormatError` for a type or a rule that isn't built.
    """
    check_rule(rule)
    if x.dtype not in _LARGEST_SCALE_BITS:
        raise FormatError(f"can't quantize {x.dtype}: MXFP4 takes float32, bfloat16 and float16")
    if out is not None and (out.shape != x.shape or out.dtype != x.dtype):
        raise FormatError(
            f"`out` is {out.dtype} {tuple(out.shape)}, `x` is {x.dtype} {tuple(x.shape)}", "make them equal"
        )
    if x.dim() == 0:
        raise FormatError("a tensor without dimensions has no blocks")
    source = x.detach()
    last = block_dim in (-1, x.dim() - 1)
    result = round_last_dim(source if last else source.movedim(block_dim, -1), RULE_ADDENDS[rule])
    result = result if last else result.movedim(-1, block_dim)
    if out is None:
        return result
    out.detach().copy_(result)
    return out


def check_rule(rule: str) -> None:
    """Raises `FormatError` unless the scale rule is built."""
    if rule not in RULE_ADDENDS:
        raise FormatError(f"unknown scale rule `{rule}`", "scale rules: " + ", ".join(RULE_ADDENDS))


def round_last_dim(x: Any, addend: int) -> Any:
    """`x` on the grid, blocks along the last dimension, nothing checked: what the layers call at each product.

    A new tensor, `x` untouched. The form keeps eager mode at few operations: float operations for each element, integer
    operations on exponents only, and a product with a power of two is exact.
    """
    length = x.shape[-1]
    ragged = -length % BLOCK_SIZE
    values = x if x.dtype is torch.float32 else x.float()
    padded = torch.nn.functional.pad(values, (0, ragged)) if ragged else values
    blocks = padded.unflatten(-1, (-1, BLOCK_SIZE)) if length else padded
    rounded = _round_blocks(blocks, addend, _LARGEST_SCALE_BITS[x.dtype]) if x.numel() else blocks.clone()
    flat = rounded.flatten(-2) if length else rounded
    trimmed = flat[..., :length] if ragged else flat
    return trimmed if x.dtype is torch.float32 else trimmed.to(x.dtype)


def _round_blocks(blocks: Any, addend: int, largest_scale_bits: int) -> Any:
    """float32 (..., blocks, 32) on the grid."""
    magnitudes = blocks.abs()
    scales = _scales(magnitudes.amax(-1, keepdim=True), addend, largest_scale_bits)
    scaled = magnitudes.mul_(scales.reciprocal())
    binade = (scaled.view(torch.int32) & _EXPONENT_MASK).clamp_(min=_ONE_BITS).view(torch.float32)
    rounded = scaled.add_(binade, alpha=_ROUNDER).sub_(binade, alpha=_ROUNDER).clamp_(max=GRID[-1])
    return rounded.mul_(scales).copysign_(blocks)


def _scales(largest: Any, addend: int, largest_scale_bits: int) -> Any:
    """The blocks' scales from their largest magnitudes: powers of two, NaN where a block has a NaN or an infinity."""
    bits = largest.view(torch.int32).clamp(max=_EXPONENT_MASK).add_(addend).bitwise_and_(_EXPONENT_MASK)
    bits.sub_(_E2M1_LARGEST_EXPONENT << _MANTISSA_BITS).clamp_(_SMALLEST_SCALE_BITS, largest_scale_bits)
    return torch.where(largest < torch.inf, bits.view(torch.float32), torch.nan)
