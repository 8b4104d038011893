"""Rounding by a format's name, with NVFP4's tensor scale where several tensors share one.

Covers the choice of the format's function and the shared scale of fused layers. The arithmetic is `quant.formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quant.formats import mxfp4, nvfp4

BLOCK_SIZES = {mxfp4.NAME: mxfp4.BLOCK_SIZE, nvfp4.NAME: nvfp4.BLOCK_SIZE}


def rounded(x: Any, fmt: str, rule: str, tensor_scale: Any = None) -> Any:
    """`x` on the grid of `fmt`, in its own shape and type. `tensor_scale`: NVFP4's, for tensors that share one."""
    if fmt == nvfp4.NAME:
        return nvfp4.quantize_dequantize(x, rule=rule, tensor_scale=tensor_scale)
    return mxfp4.quantize_dequantize(x, rule=rule)


def shared_scale(tensors: Sequence[Any], fmt: str) -> Any:
    """The float32 tensor scale that weights fused into one layer share: the smallest of theirs. None but for NVFP4."""
    if fmt != nvfp4.NAME:
        return None
    import torch

    return torch.stack([nvfp4.scale_of(tensor) for tensor in tensors]).amin()
