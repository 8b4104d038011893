"""NVFP4: E2M1 elements, an E4M3 scale for each block of 16, and one float32 scale for the whole tensor.

Covers the tensor scale, the block scales and quantize-dequantize. Does not cover packing into bytes, or gradients.

With `t = 2688 / largest magnitude of the tensor` (2688 = 448 * 6) a block of largest magnitude `m` has the E4M3 scale
`s = E4M3(t * m / 6)`, and an element x becomes `E2M1(x * t / s) * (s / t)`. Every operation rounds in float32, so their
order is part of the format, and the two libraries that matter differ in it. Each way is a rule here:

- `even` (the default): divides, `x / (s / t)` and `m / 6`: compressed-tensors 0.20 (`generate_gparam`,
  `calculate_qparams`, `fake_quantize`) for the values as float32, whatever type they come in.
- `reciprocal`: multiplies, `x * (1 / (s * (1 / t)))` and `m * (1 / 6)`: vLLM's emulation (`ref_nvfp4_quant_dequant` of
  `nvfp4_emulation_utils`, its CPU path), which takes every type to float32 too.

Both take t as `2688 * (1 / m)`, which is what torch computes for `2688 / m`, and both round `s` and the elements to
nearest, ties to even. The two differ only within float32 units of a tie: hardly ever in float32, in up to 1 of 1,000
elements in bfloat16. Given a 16-bit tensor as it is, compressed-tensors rounds t and `m / 6` to that type, and then
differs in 5 to 40 of 100 elements from itself in float32 and from vLLM: that is no rule here.

What happens to special values, the same for every type:

- Zeros stay zeros with their signs; a negative value that rounds to zero gives -0. A block whose scale rounds to zero
  (it is less than 2**-10 * 6 / 2688 of the tensor's largest magnitude) becomes zeros.
- NaN or an infinity anywhere: the whole tensor becomes NaN, since nothing is left to scale it with. With a
  `tensor_scale` given, only its block does. (compressed-tensors then goes on with t = 1, which passes for numbers.)
- Tensors whose largest magnitude is so small that t overflows (below 7.9e-36): t is 1, as in compressed-tensors, and
  the tensor becomes zeros. So does one that is all zeros.
- The largest values: s saturates at 448 and elements at 6, and `s / t` is kept where 6 times it is finite in the
  tensor's type: what is finite stays finite.
- A last block shorter than 16 has a scale of its own, of the elements that it has.
- Not idempotent: quantizing again moves the tensor scale by float32 units. MXFP4 is.
"""

from __future__ import annotations

from typing import Any

import torch

from quant.errors import FormatError
from quant.formats import blocks, e2m1

NAME = "nvfp4"
BLOCK_SIZE = 16
RULES = ("even", "reciprocal")
LARGEST_BLOCK_SCALE = 448.0
"""The largest E4M3 (OCP 8-bit Floating Point Specification 1.0, E4M3 without infinities)."""

_LARGEST_ELEMENT = e2m1.GRID[-1]
_EXPONENT_MASK = 0x7F800000
_SMALLEST_BINADE_BITS, _LARGEST_BINADE_BITS = (127 - 6) << 23, (127 + 8) << 23
"""2**-6, E4M3's smallest normal, below which steps stay the same, and 2**8, the binade of 448."""
_ROUNDER_EXPONENT = 20 << 23
"""2**20 times a float32's binade has the unit of E4M3's step there: adding it, then subtracting, rounds to E4M3."""
_LARGEST_STEPS = {dtype: torch.finfo(dtype).max / _LARGEST_ELEMENT for dtype in blocks.DTYPES}


def quantize_dequantize(
    x: Any, *, rule: str = "even", block_dim: int = -1, out: Any = None, tensor_scale: Any = None
) -> Any:
    """`x` on the NVFP4 grid, in its own shape and type; into `out` where given (which may be `x` itself).

    `x`: float32, bfloat16 or float16, any shape, strides and device. Blocks run along `block_dim`. `tensor_scale`: a
    float32 tensor of one element, for tensors that share one (fused projections); `scale_of` `x` where it is None.
    No gradient passes. Raises `FormatError` for a type, a dimension, an `out`, a scale or a rule that can't be.
    """
    check_rule(rule)
    blocks.check(x, block_dim, out, "NVFP4")
    if tensor_scale is not None and (tensor_scale.dtype != torch.float32 or tensor_scale.numel() != 1):
        raise FormatError(
            f"`tensor_scale` is {tensor_scale.dtype} {tuple(tensor_scale.shape)}", "give one float32: `scale_of(x)`"
        )
    return blocks.along(x, block_dim, out, lambda source: round_last_dim(source, rule, tensor_scale))


def check_rule(rule: str) -> None:
    """Raises `FormatError` unless NVFP4 has this rule."""
    if rule not in RULES:
        raise FormatError(f"NVFP4 has no scale rule `{rule}`", "its rules: " + ", ".join(RULES))


def scale_of(x: Any) -> Any:
    """The tensor scale `2688 / largest magnitude`: float32, without dimensions.

    Tensors that share a scale use the smallest of theirs.
    """
    if not x.numel():
        return torch.ones((), dtype=torch.float32, device=x.device)
    largest = x.detach().abs().amax().float()
    scale = largest.reciprocal() * (LARGEST_BLOCK_SCALE * _LARGEST_ELEMENT)
    finite = torch.where(scale < torch.inf, scale, 1.0)
    return torch.where(largest < torch.inf, finite, torch.nan).to(torch.float32)


def round_last_dim(x: Any, rule: str, tensor_scale: Any = None) -> Any:
    """`x` on the grid, blocks along the last dimension, nothing checked: what the layers call at each product."""
    scale = scale_of(x) if tensor_scale is None else tensor_scale.reshape(())
    largest_step = _LARGEST_STEPS[x.dtype]
    return blocks.in_blocks(x, BLOCK_SIZE, lambda values: _round_blocks(values, scale, rule, largest_step))


def round_e4m3(values: Any) -> Any:
    """float32 values that are not negative, rounded to E4M3: ties to even, saturating at 448. NaN stays NaN."""
    binade = (values.view(torch.int32) & _EXPONENT_MASK).clamp_(_SMALLEST_BINADE_BITS, _LARGEST_BINADE_BITS)
    rounder = (binade + _ROUNDER_EXPONENT).view(torch.float32)
    return values.add(rounder).sub_(rounder).clamp_(max=LARGEST_BLOCK_SCALE)


def _round_blocks(values: Any, tensor_scale: Any, rule: str, largest_step: float) -> Any:
    """float32 (..., blocks, 16) on the grid."""
    magnitudes = values.abs()
    largest = magnitudes.amax(-1, keepdim=True)
    sixths = largest / _LARGEST_ELEMENT if rule == "even" else largest * (1.0 / _LARGEST_ELEMENT)
    block_scales = round_e4m3(tensor_scale * sixths)
    steps = blocks.once_per_block((block_scales / tensor_scale).clamp_(max=largest_step))
    vanished = block_scales == 0
    if rule == "even":
        scaled = magnitudes.div_(blocks.once_per_block(torch.where(vanished, 1.0, steps)))
    else:
        factors = 1.0 / (block_scales * (1.0 / tensor_scale))
        scaled = magnitudes.mul_(blocks.once_per_block(torch.where(vanished, 0.0, factors)))
    return e2m1.round_magnitudes(scaled).mul_(steps).copysign_(values)
