"""Both formats once more, independent of the implementation, with ml_dtypes' own E2M1 and E4M3 rounding.

MXFP4 in float64 with frexp and ldexp; a block in exact rationals by the specification's words; NVFP4 operation by
operation in numpy's float32, as its two sources say it. ml_dtypes goes from float64 to E2M1 by way of float32, which
rounds twice: the way to float32 is therefore rounded to odd here, after which the second rounding is that of the exact
value.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np

BLOCK = 32
LARGEST_EXPONENTS = {"float32": 125, "bfloat16": 125, "float16": 13}


def quantize_dequantize(values: Any, rule: str, dtype: str = "float32") -> Any:
    """`values` (float32, the last dimension a multiple of 32) on the grid, as float32."""
    blocks = np.asarray(values, np.float32).reshape(-1, BLOCK)
    bad = ~np.isfinite(blocks).all(-1, keepdims=True)
    exact = np.where(bad, np.float32(1), blocks).astype(np.float64)
    exponents = scale_exponents(np.abs(exact).max(-1, keepdims=True), rule)
    exponents = np.clip(exponents, -127, LARGEST_EXPONENTS[dtype])
    elements = np.clip(np.ldexp(exact, -exponents), -6.0, 6.0)
    rounded = round_to_odd(elements).astype(ml_dtypes.float4_e2m1fn).astype(np.float64)
    result = np.ldexp(rounded, exponents).astype(np.float32)
    return np.where(bad, np.float32(np.nan), result).reshape(np.shape(values))


def scale_exponents(largest: Any, rule: str) -> Any:
    """The scale's power of two, by each rule's own words."""
    fraction, exponent = np.frexp(largest)
    mantissa, floor = fraction * 2, exponent - 1
    if rule == "floor":
        found = floor - 2
    elif rule == "even":
        found = np.where(mantissa >= 1.75, floor + 1, floor) - 2
    elif rule == "rceil":
        found = np.where(mantissa > 1.5, floor + 1, floor) - 2
    else:
        found = np.where(mantissa > 1.0, floor + 1, floor) - 2
    return np.where(largest == 0, -127, found)


def round_to_odd(values: Any) -> Any:
    """float64 to float32: what isn't exact goes to the neighbour towards zero, its last bit then set."""
    nearest = values.astype(np.float32)
    inexact = nearest.astype(np.float64) != values
    too_far = np.abs(nearest.astype(np.float64)) > np.abs(values)
    towards_zero = np.where(too_far, np.nextafter(nearest, np.float32(0)), nearest)
    odd = (towards_zero.view(np.int32) | 1).view(np.float32)
    return np.where(inexact, odd, nearest)


MAGNITUDES = [Fraction(value) for value in ("0", "1/2", "1", "3/2", "2", "3", "4", "6")]


def exact_block(values: list[float], rule: str) -> list[Fraction]:
    """One finite block in MXFP4 by exact rationals, the scale by search for its defining inequality."""
    exact = [Fraction(value) for value in values]
    largest = max(abs(value) for value in exact)
    scale = Fraction(2) ** (exact_exponent(largest, rule) if largest else -127)
    return [scale * exact_element(value / scale) for value in exact]


def exact_exponent(largest: Fraction, rule: str) -> int:
    """By each rule's inequality: the largest exponent e with `limit * 2**e <= largest`, or the smallest that covers."""
    exponent = -127
    while exponent < LARGEST_EXPONENTS["float32"]:
        scaled = largest / Fraction(2) ** exponent
        fits = {"floor": scaled < 8, "even": scaled < 7, "rceil": scaled <= 6, "ceil": scaled <= 4}[rule]
        if fits:
            break
        exponent += 1
    return exponent


def exact_element(value: Fraction) -> Fraction:
    """The nearest magnitude of E2M1 with the value's sign; a tie goes to the one whose mantissa bit is 0."""
    magnitude = min(abs(value), Fraction(6))
    nearest = min(range(8), key=lambda index: (abs(MAGNITUDES[index] - magnitude), index % 2))
    return MAGNITUDES[nearest] if value >= 0 else -MAGNITUDES[nearest]


def nvfp4(values: Any, rule: str) -> Any:
    """`values` (float32, not all zero, the last dimension a multiple of 16) on the NVFP4 grid, as float32."""
    one, six = np.float32(1), np.float32(6)
    blocks = np.asarray(values, np.float32).reshape(-1, 16)
    magnitudes = np.abs(blocks)
    largest = magnitudes.max(-1, keepdims=True)
    tensor_scale = np.float32(2688) * (one / largest.max())
    sixths = largest / six if rule == "even" else largest * (one / six)
    scales = np.minimum(tensor_scale * sixths, np.float32(448)).astype(ml_dtypes.float8_e4m3fn).astype(np.float32)
    steps = scales / tensor_scale
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = magnitudes / steps if rule == "even" else magnitudes * (one / (scales * (one / tensor_scale)))
    scaled = np.where(scales == 0, np.float32(0), np.minimum(scaled, six))
    rounded = scaled.astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
    return np.copysign(rounded * steps, blocks).reshape(np.shape(values))
