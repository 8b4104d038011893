"""Models that others' code quantizes: a stand-in for a library, and compressed-tensors itself where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from quant.formats import mxfp4


class Model(nn.Module):
    """64 numbers in, 12 classes out; widths that every library's blocks divide."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        before = torch.get_rng_state()
        torch.manual_seed(seed)
        self.up = nn.Linear(64, 96)
        self.down = nn.Linear(96, 64, bias=False)
        self.lm_head = nn.Linear(64, 12, bias=False)
        torch.set_rng_state(before)

    def forward(self, x: Any) -> Any:
        return self.lm_head(x + self.down(torch.relu(self.up(x))))


class StandInLinear(nn.Linear):
    """A linear layer as a library that knows nothing of laststep has it: it quantizes, and counts nothing."""

    weights = activations = True
    rule = "even"

    def forward(self, input: Any) -> Any:
        weight = mxfp4.quantize_dequantize(self.weight, rule=self.rule) if self.weights else self.weight
        x = mxfp4.quantize_dequantize(input, rule=self.rule) if self.activations else input
        return nn.functional.linear(x, weight, self.bias)


def stand_in() -> Any:
    """The model, both inner layers quantized by the stand-in."""
    model = Model()
    model.up.__class__ = model.down.__class__ = StandInLinear
    return model


def compressed_tensors() -> Any:
    """The same by compressed-tensors' MXFP4 scheme, weights scaled by its own functions."""
    from compressed_tensors.quantization import QuantizationConfig, QuantizationScheme, apply_quantization_config
    from compressed_tensors.quantization.quant_scheme import PRESET_SCHEMES
    from compressed_tensors.quantization.utils import compute_dynamic_scales_and_zp

    model = Model()
    scheme = QuantizationScheme(targets=["Linear"], **PRESET_SCHEMES["MXFP4"])
    apply_quantization_config(model, QuantizationConfig(config_groups={"all": scheme}, ignore=["lm_head"]))
    for layer in (model.up, model.down):
        scale, _ = compute_dynamic_scales_and_zp(layer.weight, layer.quantization_scheme.weights, layer)
        layer.weight_scale.data = scale.to(layer.weight_scale.dtype)
    return model


LIBRARIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "a stand-in": ("StandInLinear", stand_in),
    "compressed-tensors": ("compressed_tensors", compressed_tensors),
}
"""By name: what a recipe declares, and the model."""
