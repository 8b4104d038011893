"""Fake quantization to 4 bits: a leaf library on torch that knows nothing of runs, monitors or Ray.

`fake_quantize` is the public door to every format. Importing this package imports no torch.
"""

from __future__ import annotations

from typing import Any

from quant.errors import FormatError

BUILT_FORMATS = ("mxfp4",)
PLANNED_FORMATS = ("nvfp4",)


def check_format(name: str) -> None:
    """Raises `FormatError` unless the format is built."""
    if name in PLANNED_FORMATS:
        raise FormatError(f"format `{name}` is not built yet", "use `mxfp4`")
    if name not in BUILT_FORMATS:
        raise FormatError(f"unknown format `{name}`", "formats: " + ", ".join(BUILT_FORMATS))


def fake_quantize(x: Any, fmt: str, *, rule: str = "even", block_dim: int = -1, out: Any = None) -> Any:
    """`x` rounded onto the grid of `fmt` and back, in `x`'s own type. No gradient passes. Raises `FormatError`."""
    check_format(fmt)
    from quant.formats import mxfp4

    return mxfp4.quantize_dequantize(x, rule=rule, block_dim=block_dim, out=out)
