"""Other people's quantizers behind one signature: a tensor (rows, columns) in, the same on their grid out.

Covers the packages of `peers_environment` and a port of vLLM's NVFP4 emulation. Each is called by its own public
functions, on whole tensors, in eager mode, as its own users call it. Importing this imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Quantizer = Callable[[Any], Any]


def compressed_tensors_mxfp4() -> Quantizer:
    """Its `fake_quantize` with the scales of its `calculate_qparams`; its own rule is `even`."""
    from compressed_tensors.quantization.lifecycle.forward import fake_quantize
    from compressed_tensors.quantization.quant_args import QuantizationArgs
    from compressed_tensors.quantization.utils.helpers import calculate_qparams

    words = {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32, "symmetric": True}
    arguments = QuantizationArgs(**words, scale_dtype=torch.uint8, zp_dtype=torch.uint8)

    def quantize(x: Any) -> Any:
        blocks = x.unflatten(-1, (-1, 32))
        scales, zeros = calculate_qparams(blocks.amin(-1), blocks.amax(-1), arguments)
        return fake_quantize(x, scales, zeros, arguments).to(x.dtype)

    return quantize


def compressed_tensors_nvfp4() -> Quantizer:
    """As above, with the tensor scale of its `generate_gparam`; in float32, whatever type comes in."""
    from compressed_tensors.quantization.lifecycle.forward import fake_quantize
    from compressed_tensors.quantization.quant_args import QuantizationArgs
    from compressed_tensors.quantization.utils.helpers import calculate_qparams, generate_gparam

    words = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16, "symmetric": True}
    arguments = QuantizationArgs(**words, scale_dtype=torch.float8_e4m3fn, zp_dtype=torch.float8_e4m3fn)

    def quantize(x: Any) -> Any:
        values = x.float()
        blocks = values.unflatten(-1, (-1, 16))
        tensor_scale = generate_gparam(values.amin(), values.amax())
        scales, zeros = calculate_qparams(blocks.amin(-1), blocks.amax(-1), arguments, global_scale=tensor_scale)
        return fake_quantize(values, scales, zeros, arguments, global_scale=tensor_scale).to(x.dtype)

    return quantize


def vllm_nvfp4_port() -> Quantizer:
    """The operations of vLLM's `ref_nvfp4_quant_dequant` on a CPU, in their order (vLLM, Apache-2.0)."""

    def reciprocal(x: Any) -> Any:
        return torch.where(x == 0, torch.zeros_like(x), 1.0 / x)

    def quantize(x: Any) -> Any:
        blocks = x.unflatten(-1, (-1, 16)).float()
        tensor_scale = 2688.0 / blocks.abs().amax()
        scales = tensor_scale * (blocks.abs().amax(-1, keepdim=True) * (1 / 6.0))
        scales = scales.clamp(-448.0, 448.0).to(torch.float8_e4m3fn).float()
        scaled = (blocks * reciprocal(scales * reciprocal(tensor_scale))).clamp(-6.0, 6.0)
        return (_by_thresholds(scaled) * (scales / tensor_scale)).flatten(-2).to(x.dtype)

    return quantize


def _by_thresholds(scaled: Any) -> Any:
    """E2M1 as vLLM writes it: the interval that a magnitude lies in, ties to the even mantissa."""
    magnitudes = scaled.abs()
    found = torch.zeros_like(magnitudes)
    for low, closed, value in (
        (0.25, False, 0.5),
        (0.75, True, 1.0),
        (1.25, False, 1.5),
        (1.75, True, 2.0),
        (2.5, False, 3.0),
        (3.5, True, 4.0),
        (5.0, False, 6.0),
    ):
        found[(magnitudes >= low) if closed else (magnitudes > low)] = value
    return found * torch.sign(scaled)


def torchao_mxfp4(rule: str) -> Quantizer:
    """`MXTensor.to_mx` and back, in its mode of the rule's name."""
    from torchao.prototype.mx_formats.config import ScaleCalculationMode
    from torchao.prototype.mx_formats.mx_tensor import MXTensor

    mode = ScaleCalculationMode(rule)
    return lambda x: MXTensor.to_mx(x, torch.float4_e2m1fn_x2, 32, mode).dequantize(x.dtype)


def torchao_nvfp4() -> Quantizer:
    """`NVFP4Tensor.to_nvfp4` and back, with the tensor scale of its `per_tensor_amax_to_scale`."""
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

    def quantize(x: Any) -> Any:
        scale = per_tensor_amax_to_scale(x.abs().amax())
        return NVFP4Tensor.to_nvfp4(x, per_tensor_scale=scale).dequantize(x.dtype)

    return quantize


def quark_mxfp4() -> Quantizer:
    """Its `fake_quantize_mx`, rule `even`: a C++ extension."""
    import quark.torch.kernel  # noqa: F401  (registers its operators)
    from quark.torch.kernel.hw_emulation.hw_emulation_interface import fake_quantize_mx

    return lambda x: fake_quantize_mx(x, -1, 32, "even", mx_element_dtype="fp4")


def modelopt_mxfp4() -> Quantizer:
    """`MXFP4QTensor.quantize` and back; its own rule is `rceil`."""
    from modelopt.torch.quantization.qtensor.mxfp4_tensor import MXFP4QTensor

    def quantize(x: Any) -> Any:
        packed, scales = MXFP4QTensor.quantize(x, 32)
        return packed.dequantize(dtype=x.dtype, scale=scales, block_sizes={-1: 32})

    return quantize


def modelopt_nvfp4() -> Quantizer:
    """`NVFP4QTensor.quantize` and back."""
    from modelopt.torch.quantization.qtensor.nvfp4_tensor import NVFP4QTensor

    def quantize(x: Any) -> Any:
        packed, scales, double_scale = NVFP4QTensor.quantize(x, 16)
        return packed.dequantize(dtype=x.dtype, scale=scales, double_scale=double_scale, block_sizes={-1: 16})

    return quantize


def gfloat_mxfp4() -> Quantizer:
    """gfloat's `quantize_block` of OCP MXFP4, rule `floor`, one block at a time in numpy."""
    import gfloat
    import numpy as np
    from gfloat.formats import format_info_mxfp4_e2m1

    def quantize(x: Any) -> Any:
        rows = x.float().numpy().reshape(-1, 32)
        rounded = [
            gfloat.quantize_block(format_info_mxfp4_e2m1, row.astype(np.float64), gfloat.compute_scale_amax)
            for row in rows
        ]
        return torch.from_numpy(np.stack(rounded).astype(np.float32)).reshape(x.shape).to(x.dtype)

    return quantize
