"""`quant.fake_quantize`: the one door to every format, and what it refuses before any work is done."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
from quant import fake_quantize
from quant.errors import FormatError
from quant.formats.mxfp4 import quantize_dequantize

pytestmark = pytest.mark.torch


def refused(call: Any) -> str:
    """The sentence and the cure of what the call raises."""
    with pytest.raises(FormatError) as caught:
        call()
    assert caught.value.HELP_TEXT
    return str(caught.value)


def test_what_is_not_built_is_refused_in_one_sentence() -> None:
    x = torch.zeros(32)
    assert "unknown format `mxfp6`" in refused(lambda: fake_quantize(x, "mxfp6"))
    assert "a list" in refused(lambda: fake_quantize([1.0], "mxfp4"))
    assert "no dimension 1 in a tensor of 1" in refused(lambda: fake_quantize(x, "mxfp4", block_dim=1))
    assert "unknown scale rule `odd`" in refused(lambda: fake_quantize(x, "mxfp4", rule="odd"))
    assert "float64" in refused(lambda: fake_quantize(x.double(), "mxfp4"))
    assert "int32" in refused(lambda: fake_quantize(x.int(), "mxfp4"))
    assert "without dimensions" in refused(lambda: fake_quantize(torch.tensor(1.0), "mxfp4"))
    assert "`out`" in refused(lambda: fake_quantize(x, "mxfp4", out=torch.zeros(31)))
    assert "`out`" in refused(lambda: fake_quantize(x, "mxfp4", out=x.half()))


def test_the_public_door_is_the_format() -> None:
    x = torch.randn(40, 40, generator=torch.Generator().manual_seed(6))
    wanted = quantize_dequantize(x, rule="ceil", block_dim=0)
    assert torch.equal(fake_quantize(x, "mxfp4", rule="ceil", block_dim=0), wanted)
