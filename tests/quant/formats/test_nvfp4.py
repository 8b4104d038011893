"""NVFP4: bit for bit against its sources' operations in numpy, and each promise of the module's docstring by name."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("ml_dtypes")

from quant import fake_quantize
from quant.errors import FormatError
from quant.formats.nvfp4 import BLOCK_SIZE, RULES, quantize_dequantize, round_e4m3, scale_of
from tests.quant import oracle

pytestmark = pytest.mark.torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
INF = float("inf")


def normal(*shape: int, seed: int = 1, spread: float = 1.0) -> Any:
    """Normal values, scaled by a log-normal factor each."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * torch.exp(spread * torch.randn(shape, generator=generator))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_bit_exact_with_the_sources_operations_over_any_spread(rule: str, name: str, spread: float) -> None:
    x = normal(500, 64, spread=spread).clamp(-6e4, 6e4).to(DTYPES[name])
    wanted = torch.from_numpy(oracle.nvfp4(x.float().numpy(), rule)).to(x.dtype)
    found = quantize_dequantize(x, rule=rule)
    assert found.dtype == x.dtype
    assert torch.equal(found.float().view(torch.int32), wanted.float().view(torch.int32))


@pytest.mark.parametrize("exponent", [-110, -60, 60, 120])
def test_bit_exact_for_tensors_of_any_magnitude(exponent: int) -> None:
    x = normal(500, 64) * 2.0**exponent
    assert np.array_equal(quantize_dequantize(x).numpy(), oracle.nvfp4(x.numpy(), "even"))


def test_block_scales_are_rounded_as_torch_rounds_to_e4m3_subnormals_and_ties_included() -> None:
    every = torch.arange(0, 0x7F).to(torch.uint8).view(torch.float8_e4m3fn).float()
    ties = (every[1:] + every[:-1]) / 2
    values = torch.cat([every, ties, *(torch.nextafter(ties, torch.tensor(end)) for end in (0.0, 500.0))])
    assert torch.equal(round_e4m3(values), values.to(torch.float8_e4m3fn).float())
    assert round_e4m3(torch.tensor([449.0, 1e9, INF])).tolist() == [448.0] * 3
    assert round_e4m3(torch.tensor([float("nan")])).isnan().all()


def test_the_two_rules_differ_in_bfloat16_where_an_element_lies_at_a_tie() -> None:
    tensors = [normal(500, 256, seed=seed).bfloat16() for seed in range(8)]
    differing = [int((quantize_dequantize(x) != quantize_dequantize(x, rule="reciprocal")).sum()) for x in tensors]
    assert 0 < sum(differing) < 0.01 * 8 * 500 * 256


def test_zeros_stay_zeros_with_their_signs_and_so_do_values_that_round_to_zero() -> None:
    assert quantize_dequantize(torch.zeros(3, 16)).eq(0).all()
    x = torch.tensor([6.0, -0.0, 0.0, -0.01, *[0.0] * 12])
    assert quantize_dequantize(x)[1:4].signbit().tolist() == [True, False, True]


def test_a_block_that_is_nothing_beside_the_tensors_largest_becomes_zeros() -> None:
    x = torch.cat([torch.full((16,), 1e6), torch.full((16,), 1.0), torch.full((16,), 3000.0)])
    found = quantize_dequantize(x)
    assert found[16:32].eq(0).all() and found[32:].gt(0).all()


@pytest.mark.parametrize("bad", [float("nan"), -float("nan"), INF, -INF])
def test_nan_or_infinity_makes_the_whole_tensor_nan(bad: float) -> None:
    x = torch.ones(4, 32)
    x[2, 5] = bad
    assert quantize_dequantize(x).isnan().all()


@pytest.mark.parametrize("rule", RULES)
def test_with_a_scale_given_nan_reaches_its_own_block_only(rule: str) -> None:
    x = torch.ones(48)
    x[20] = float("nan")
    found = quantize_dequantize(x, rule=rule, tensor_scale=torch.tensor(2688.0))
    assert found[16:32].isnan().all() and found[:16].eq(1).all() and found[32:].eq(1).all()


def test_a_tensor_too_small_for_a_scale_becomes_zeros() -> None:
    assert quantize_dequantize(torch.full((16,), 1e-37)).eq(0).all()
    assert scale_of(torch.full((16,), 1e-37)).item() == 1.0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DTYPES)
def test_the_largest_values_stay_finite(rule: str, name: str) -> None:
    x = normal(8, 16).to(DTYPES[name])
    x[0, 0], x[1, 1] = torch.finfo(x.dtype).max, -torch.finfo(x.dtype).max
    assert quantize_dequantize(x, rule=rule).isfinite().all()
    assert quantize_dequantize(x, rule=rule, tensor_scale=torch.tensor(0.04)).isfinite().all()


def test_values_above_a_given_scales_range_saturate() -> None:
    x = torch.full((16,), 100.0)
    assert quantize_dequantize(x, tensor_scale=torch.tensor(2688.0)).tolist() == [1.0] * 16


def test_tensors_with_one_scale_are_quantized_as_one_tensor() -> None:
    parts = [normal(32, 64, seed=seed) * factor for seed, factor in ((1, 1.0), (2, 9.0), (3, 0.1))]
    shared = torch.stack([scale_of(part) for part in parts]).amin()
    wanted = quantize_dequantize(torch.cat(parts))
    assert torch.equal(torch.cat([quantize_dequantize(part, tensor_scale=shared) for part in parts]), wanted)


@pytest.mark.parametrize("length", [1, 15, 17, 70])
def test_a_ragged_last_block_has_its_own_scale(length: int) -> None:
    x = normal(5, length)
    padded = torch.nn.functional.pad(x, (0, -length % BLOCK_SIZE))
    assert torch.equal(quantize_dequantize(x), quantize_dequantize(padded)[:, :length])


@pytest.mark.parametrize("dim", [0, 1, -3])
def test_blocks_run_along_the_dimension_that_is_asked_for(dim: int) -> None:
    x = normal(40, 33, 65)
    wanted = quantize_dequantize(x.movedim(dim, -1).contiguous()).movedim(-1, dim)
    assert torch.equal(quantize_dequantize(x, block_dim=dim), wanted)


@pytest.mark.parametrize("shape", [(0,), (0, 32), (3, 0)])
def test_empty_tensors_stay_empty(shape: tuple[int, ...]) -> None:
    assert quantize_dequantize(torch.empty(shape)).shape == shape


def test_strided_views_and_out_give_the_same() -> None:
    whole = normal(64, 96)
    for view in (whole.t(), whole[:, ::3], whole[3:40, 5:70]):
        wanted = quantize_dequantize(view.contiguous())
        assert torch.equal(quantize_dequantize(view), wanted)
        assert torch.equal(quantize_dequantize(view, out=torch.empty_like(view)), wanted)
    wanted = quantize_dequantize(whole)
    assert quantize_dequantize(whole, out=whole) is whole and torch.equal(whole, wanted)


def refused(call: Any) -> str:
    """The sentence of what the call raises; its cure is there."""
    with pytest.raises(FormatError) as caught:
        call()
    assert caught.value.HELP_TEXT
    return str(caught.value)


def test_what_can_not_be_is_refused_in_one_sentence() -> None:
    x = torch.zeros(32)
    assert "no scale rule `floor`" in refused(lambda: fake_quantize(x, "nvfp4", rule="floor"))
    assert "int8" in refused(lambda: fake_quantize(x.char(), "nvfp4"))
    assert "`tensor_scale` is" in refused(lambda: quantize_dequantize(x, tensor_scale=torch.ones(2)))
    assert "`tensor_scale` is" in refused(lambda: quantize_dequantize(x, tensor_scale=torch.ones(1).double()))


def test_the_public_door_is_the_format() -> None:
    x = normal(40, 40)
    wanted = quantize_dequantize(x, rule="reciprocal", block_dim=0)
    assert torch.equal(fake_quantize(x, "nvfp4", rule="reciprocal", block_dim=0), wanted)
