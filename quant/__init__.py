"""Fake quantization to 4 bits: a leaf library on torch that knows nothing of runs, monitors or Ray.

`fake_quantize` is the public door to every format. Importing this package imports no torch.
"""

from __future__ import annotations

from typing import Any

from quant.errors import FormatError

FORMATS = {"mxfp4": ("even", "floor", "rceil", "ceil"), "nvfp4": ("even", "reciprocal")}
"""The formats and the scale rules of each; `quant.formats` says what they do."""
BLOCK_SIZES = {"mxfp4": 32, "nvfp4": 16}


def check_format(name: str) -> None:
    """Raises `FormatError` unless the format is built."""
    if name not in FORMATS:
        raise FormatError(f"unknown format `{name}`", "formats: " + ", ".join(FORMATS))


def fake_quantize(x: Any, fmt: str, *, rule: str = "even", block_dim: int = -1, out: Any = None) -> Any:
    """`x` rounded onto the grid of `fmt` and back, in `x`'s own shape and type. No gradient passes.

    `x`: a float32, bfloat16 or float16 tensor of any shape, strides and device; an empty one stays empty. `fmt`:
    `mxfp4` or `nvfp4`; `rule`: one of `FORMATS[fmt]`. Blocks run along `block_dim`, and a last block that is cut short
    has a scale of its own. `out`: where to write, `x` itself allowed. Raises `FormatError` before any work.
    """
    check_format(fmt)
    from quant.formats import mxfp4, nvfp4

    quantize = mxfp4.quantize_dequantize if fmt == "mxfp4" else nvfp4.quantize_dequantize
    return quantize(x, rule=rule, block_dim=block_dim, out=out)
