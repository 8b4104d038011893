"""MXFP4 once more, independent of the implementation: float64 with frexp and ldexp, and ml_dtypes' own E2M1 rounding.

ml_dtypes goes from float64 to E2M1 by way of float32, which rounds twice: the way to float32 is therefore rounded to
odd here, after which the second rounding is that of the exact value.
"""

from __future__ import annotations

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
