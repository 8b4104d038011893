"""MXFP4: E2M1 elements with one E8M0 (power of two) scale for each block of 32, as in the OCP MX specification.

Covers the four scale rules and quantize-dequantize. Does not cover packing into bytes, or gradients.

What happens to special values, the same for every rule and type:

- Zeros: a block of zeros stays zeros. Signs of zeros are kept, and a negative value that rounds to zero gives -0, since
  E2M1 has a -0. (Peers that multiply with `sign(x)` lose the sign of a -0.)
- NaN or an infinity anywhere in a block: the whole block becomes NaN, since its scale is E8M0's NaN. No element of it
  survives, so nothing overflowed can pass for a number. (Peers disagree: some saturate an infinity at 6 times the
  largest scale, some give NaN for the element alone. The specification leaves it to the implementation.)
- Subnormals: exact. The smallest scale is 2**-127, itself a float32 subnormal; smaller blocks are rounded with it, to
  multiples of 2**-128. (Under `torch.set_flush_denormal(True)` such blocks become zeros.)
- The largest values: the scale stops at the largest one for which 6 times it is finite in the tensor's type (2**125 in
  float32 and bfloat16, 2**13 in float16), and elements saturate at 6 times the scale: a finite block stays finite.
- A last block shorter than 32 has a scale of its own, of the elements that it has.
- Ties go to the even mantissa, in one rounding from float32: nothing is rounded twice. (microxcaling's default rounds
  ties away from zero, ModelOpt towards it.) Quantizing what is quantized changes nothing, whatever the rule was.
"""

from __future__ import annotations

from typing import Any

import torch

from quant.errors import FormatError
from quant.formats import blocks, e2m1
from quant.formats.e2m1 import GRID as GRID

NAME = "mxfp4"
BLOCK_SIZE = 32

RULE_ADDENDS = {"floor": 0, "even": 0x200000, "rceil": 0x3FFFFF, "ceil": 0x7FFFFF}
"""How the scale follows from a block's largest magnitude: add this to its float32 bits, keep the exponent, subtract 2.

floor: the largest magnitude's exponent (OCP); up to 7.99 times the scale, so it saturates. even: that magnitude rounded
to one mantissa bit first (Quark, compressed-tensors, vLLM). rceil: the smallest scale that doesn't saturate (NVIDIA).
ceil: its exponent rounded up."""
RULES = tuple(RULE_ADDENDS)

_EXPONENT_MASK = 0x7F800000
_MANTISSA_BITS = 23
_E2M1_LARGEST_EXPONENT = 2
_SMALLEST_SCALE_BITS = 0x00400000
"""2**-127, the smallest E8M0: a float32 subnormal. Every smaller result of the rule is clamped up to it."""
_LARGEST_SCALE_BITS = {torch.float32: 252 << 23, torch.bfloat16: 252 << 23, torch.float16: (127 + 13) << 23}
_RECIPROCAL_BITS = 254 << 23
"""Less a power of two's exponent bits, the bits of its reciprocal: exact on every device, where a division needn't
be."""


def quantize_dequantize(x: Any, *, rule: str = "even", block_dim: int = -1, out: Any = None) -> Any:
    """`x` on the MXFP4 grid, in its own shape and type; into `out` where given (which may be `x` itself).

    `x`: float32, bfloat16 or float16, any shape, strides and device. Blocks run along `block_dim`. No gradient passes.
    Raises `FormatError` for a type, a dimension, an `out` or a rule that can't be.
    """
    check_rule(rule)
    blocks.check(x, block_dim, out, "MXFP4")
    addend = RULE_ADDENDS[rule]
    return blocks.along(x, block_dim, out, lambda source: round_last_dim(source, addend))


def check_rule(rule: str) -> None:
    """Raises `FormatError` unless MXFP4 has this scale rule."""
    if rule not in RULE_ADDENDS:
        raise FormatError(f"unknown scale rule `{rule}`", "scale rules: " + ", ".join(RULES))


def round_last_dim(x: Any, addend: int) -> Any:
    """`x` on the grid, blocks along the last dimension, nothing checked: what the layers call at each product.

    A new tensor, `x` untouched. Float operations for each element, integer operations for each block only.
    """
    largest_scale_bits = _LARGEST_SCALE_BITS[x.dtype]
    return blocks.in_blocks(x, BLOCK_SIZE, lambda values: _round_blocks(values, addend, largest_scale_bits))


def _round_blocks(values: Any, addend: int, largest_scale_bits: int) -> Any:
    """float32 (..., blocks, 32) on the grid."""
    magnitudes = values.abs()
    scales, reciprocals = _scales(magnitudes.amax(-1, keepdim=True), addend, largest_scale_bits)
    return e2m1.round_magnitudes(magnitudes.mul_(reciprocals)).mul_(scales).copysign_(values)


def _scales(largest: Any, addend: int, largest_scale_bits: int) -> tuple[Any, Any]:
    """The blocks' scales from their largest magnitudes, and their reciprocals: powers of two.

    NaN where a block has a NaN or an infinity. Such magnitudes are clamped before integer arithmetic could overflow; a
    vectorized maximum may give a NaN either sign, so the sign bit is masked.
    """
    bits = (largest.view(torch.int32) & 0x7FFFFFFF).clamp_(max=_EXPONENT_MASK).add_(addend).bitwise_and_(_EXPONENT_MASK)
    bits.sub_(_E2M1_LARGEST_EXPONENT << _MANTISSA_BITS).clamp_(_SMALLEST_SCALE_BITS, largest_scale_bits)
    reciprocals = (_RECIPROCAL_BITS - (bits & _EXPONENT_MASK)).view(torch.float32)
    scales = torch.where(largest < torch.inf, bits.view(torch.float32), torch.nan)
    return blocks.once_per_block(scales), blocks.once_per_block(reciprocals)
