"""E2M1, the 4-bit element that MXFP4 and NVFP4 share: a sign, two exponent bits, one mantissa bit.

Covers the grid and rounding onto it. Does not cover scales (`mxfp4`, `nvfp4`) or cutting into blocks (`blocks`).
Source: OCP Microscaling Formats (MX) Specification 1.0, section 5.3.3.
"""

from __future__ import annotations

from typing import Any

import torch

GRID = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""The magnitudes there are. `GRID[-1]` is where elements saturate."""

_HALVES, _ONES, _TWOS = 2.0**22, 2.0**23, 2.0**24
"""Adding one of these to a smaller float32, then subtracting it, rounds to a multiple of 1/2, 1 or 2: ties to even."""


def round_magnitudes(magnitudes: Any) -> Any:
    """float32 magnitudes, any shape, on the grid: ties to the even mantissa, saturating at 6. NaN stays NaN.

    Float operations only: per-element integer operations on the bits compile to code many times slower.
    """
    above_two = torch.where(magnitudes < 4.0, _ONES, _TWOS)
    rounder = torch.where(magnitudes < 2.0, _HALVES, above_two).to(torch.float32)
    return magnitudes.add(rounder).sub_(rounder).clamp_(max=GRID[-1])
