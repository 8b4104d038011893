"""Cutting a tensor into blocks along one dimension, and putting it together again, for every format.

Covers the checks of what comes in, ragged last blocks, `block_dim` and `out`. Does not cover arithmetic: the formats
hand in a function from float32 blocks to float32 blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from quant.errors import FormatError

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def check(x: Any, block_dim: int, out: Any, format_name: str) -> None:
    """Raises `FormatError` where `x` can't be quantized along `block_dim` into `out`."""
    if not isinstance(x, torch.Tensor):
        raise FormatError(f"can't quantize a {type(x).__name__}: {format_name} takes a torch tensor")
    if x.dtype not in DTYPES:
        raise FormatError(f"can't quantize {x.dtype}: {format_name} takes float32, bfloat16 and float16")
    if x.dim() == 0:
        raise FormatError("a tensor without dimensions has no blocks", "give it one: `x.reshape(1)`")
    if not -x.dim() <= block_dim < x.dim():
        raise FormatError(f"there is no dimension {block_dim} in a tensor of {x.dim()}", "check `block_dim`")
    if out is not None and (out.shape != x.shape or out.dtype != x.dtype or out.device != x.device):
        raise FormatError(
            f"`out` is {out.dtype} {tuple(out.shape)} on {out.device}, `x` is {x.dtype} {tuple(x.shape)} on {x.device}",
            "make them equal",
        )


def along(x: Any, block_dim: int, out: Any, round_last_dim: Callable[[Any], Any]) -> Any:
    """`round_last_dim` of `x` with `block_dim` moved last; copied into `out` where given. No gradient passes."""
    source = x.detach()
    last = block_dim in (-1, x.dim() - 1)
    result = round_last_dim(source if last else source.movedim(block_dim, -1))
    result = result if last else result.movedim(-1, block_dim)
    if out is None:
        return result
    out.detach().copy_(result)
    return out


def once_per_block(values: Any) -> Any:
    """The same values, (..., blocks, 1); compiled for a CPU they are stored, not computed again at each element.

    Inductor would inline what follows from a block's maximum into the loop over elements, where integer operations and
    divisions cost more than all else. It stores whatever is viewed by its strides. The numbers are the same.
    """
    if values.device.type == "cpu" and torch.compiler.is_compiling():
        return values.as_strided(values.shape, values.stride())
    return values


def in_blocks(x: Any, block_size: int, round_blocks: Callable[[Any], Any]) -> Any:
    """A new tensor like `x` (..., length): `round_blocks` of its float32 blocks (..., blocks, block_size).

    A last block that is shorter is handed in by itself, as (..., 1, its length). (Padding it with zeros and cutting the
    result gives the same in eager mode, but torch 2.13's compiler for CPUs then leaves that block of `out` unwritten.)
    """
    if not x.numel():
        return x.clone()
    values = x if x.dtype is torch.float32 else x.float()
    whole = x.shape[-1] // block_size * block_size
    parts = []
    if whole:
        parts.append(round_blocks(values[..., :whole].unflatten(-1, (-1, block_size))).flatten(-2))
    if whole != x.shape[-1]:
        parts.append(round_blocks(values[..., whole:].unsqueeze(-2)).squeeze(-2))
    rounded = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
    return rounded if x.dtype is torch.float32 else rounded.to(x.dtype)
