"""MXFP4: bit for bit against the oracle, and each promise of the module's docstring by name."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("ml_dtypes")
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.formats.mxfp4 import BLOCK_SIZE, GRID, RULE_ADDENDS, quantize_dequantize
from tests.quant import oracle

pytestmark = pytest.mark.torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RULES = tuple(RULE_ADDENDS)


def bits(tensor: Any) -> Any:
    """Its bits, every NaN as one."""
    single = tensor.float()
    return torch.where(single.isnan(), torch.nan, single).contiguous().view(torch.int32)


def assert_as_oracle(x: Any, rule: str) -> None:
    """Compares every bit with the oracle's, and the result's type with x's."""
    found = quantize_dequantize(x, rule=rule)
    name = str(x.dtype).removeprefix("torch.")
    wanted = torch.from_numpy(oracle.quantize_dequantize(x.float().numpy(), rule, name))
    assert found.dtype == x.dtype
    assert torch.equal(bits(found), bits(wanted))


def block(*values: float) -> Any:
    """One block that begins with these values, zeros after them."""
    return torch.tensor([*values, *[0.0] * (BLOCK_SIZE - len(values))])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0, 20.0])
def test_bit_exact_over_normal_values_of_any_spread(rule: str, name: str, spread: float) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4000, 64, generator=generator) * torch.exp(spread * torch.randn(4000, 64, generator=generator))
    assert_as_oracle(x.to(DTYPES[name]), rule)


@pytest.mark.parametrize("rule", RULES)
def test_bit_exact_over_blocks_of_every_exponent_that_float32_has(rule: str) -> None:
    generator = torch.Generator().manual_seed(2)
    exponents = torch.arange(255).repeat_interleave(40)[:, None]
    within = (exponents - torch.randint(0, 6, (exponents.shape[0], 64), generator=generator)).clamp(min=0)
    mantissas = torch.randint(0, 1 << 23, within.shape, generator=generator)
    signs = torch.randint(0, 2, within.shape, generator=generator) << 31
    x = (signs | (within << 23) | mantissas).to(torch.int32).view(torch.float32)
    assert_as_oracle(x, rule)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_bit_exact_for_every_value_of_16_bits_sharing_blocks_with_any_other(rule: str, name: str) -> None:
    every = torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(DTYPES[name])
    every = every[every.isfinite()]
    for seed in range(4):
        mixed = every[torch.randperm(every.numel(), generator=torch.Generator().manual_seed(seed))]
        assert_as_oracle(mixed[: mixed.numel() // BLOCK_SIZE * BLOCK_SIZE].reshape(-1, BLOCK_SIZE), rule)
    in_order = every.sort().values
    assert_as_oracle(in_order[: in_order.numel() // BLOCK_SIZE * BLOCK_SIZE].reshape(-1, BLOCK_SIZE), rule)


@given(words=st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=64, max_size=64), rule=st.sampled_from(RULES))
@settings(max_examples=300, deadline=None)
def test_bit_exact_over_any_bits_at_all(words: list[int], rule: str) -> None:
    assert_as_oracle(torch.tensor(words, dtype=torch.int32).view(torch.float32).reshape(2, 32), rule)


@given(
    values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=70),
    rule=st.sampled_from(RULES),
)
@settings(max_examples=200, deadline=None)
def test_quantizing_twice_changes_nothing_and_finite_stays_finite(values: list[float], rule: str) -> None:
    once = quantize_dequantize(torch.tensor(values), rule=rule)
    assert once.isfinite().all()
    assert torch.equal(bits(quantize_dequantize(once, rule=rule)), bits(once))


@pytest.mark.parametrize("exponent", [-120, -1, 0, 1, 100])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_grid_values_stay_and_ties_go_to_the_even_mantissa(exponent: int, sign: float) -> None:
    scale = sign * 2.0**exponent
    ties = {0.25: 0.0, 0.75: 1.0, 1.25: 1.0, 1.75: 2.0, 2.5: 2.0, 3.5: 4.0, 5.0: 4.0}
    x = block(*GRID, *ties) * scale
    wanted = block(*GRID, *ties.values()) * scale
    assert torch.equal(bits(quantize_dequantize(x)), bits(wanted))


def test_just_beside_a_tie_goes_to_the_nearer_value() -> None:
    for tie, below, above in [(0.25, 0.0, 0.5), (0.75, 0.5, 1.0), (2.5, 2.0, 3.0), (5.0, 4.0, 6.0)]:
        at = torch.tensor(tie)
        x = block(6.0, torch.nextafter(at, torch.tensor(0.0)).item(), torch.nextafter(at, torch.tensor(9.0)).item())
        assert quantize_dequantize(x)[1:3].tolist() == [below, above]


@pytest.mark.parametrize(
    ("peak", "coarser"),
    [
        (1.0, []),
        (1.5, ["ceil"]),
        (1.501, ["rceil", "ceil"]),
        (1.7499, ["rceil", "ceil"]),
        (1.75, ["even", "rceil", "ceil"]),
        (1.99, ["even", "rceil", "ceil"]),
    ],
)
def test_the_peak_at_which_each_rule_takes_the_next_scale(peak: float, coarser: list[str]) -> None:
    """Beside a peak between 1 and 2, 0.4 becomes 0.375 with the scale 1/4, and 0.5 with 1/2."""
    found = {rule: quantize_dequantize(block(peak, 0.4), rule=rule)[1].item() for rule in RULES}
    assert found == {rule: 0.5 if rule in coarser else 0.375 for rule in RULES}


def ulps_around(value: float) -> list[float]:
    """The value, and its two neighbours in float32."""
    at = torch.tensor(value)
    return [torch.nextafter(at, torch.tensor(end)).item() for end in (-torch.inf, torch.inf)] + [value]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("exponent", [-127, -126, -1, 0, 7, 125])
def test_ties_and_one_unit_beside_them_round_as_exact_rationals_do(rule: str, exponent: int) -> None:
    ties = [value for tie in (0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0) for value in ulps_around(tie)]
    values = [value * 2.0**exponent for value in [4.0, *ties]]
    found = quantize_dequantize(block(*values), rule=rule).tolist()
    assert found == [float(value) for value in oracle.exact_block(block(*values).tolist(), rule)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("peak", [1.5, 1.75, 2.0, 3.0, 3.5, 4.0, 6.0, 7.0, 8.0])
def test_block_maxima_one_unit_beside_each_rules_boundary_take_the_exact_scale(rule: str, peak: float) -> None:
    for value in ulps_around(peak):
        x = block(value, 0.4, -0.7, 0.05)
        assert quantize_dequantize(x, rule=rule).tolist() == [float(v) for v in oracle.exact_block(x.tolist(), rule)]


def test_just_below_two_and_just_above_one_and_a_half_differ_by_rule_as_stated() -> None:
    below_two = torch.nextafter(torch.tensor(2.0), torch.tensor(0.0)).item()
    above = torch.nextafter(torch.tensor(1.5), torch.tensor(2.0)).item()
    for peak, coarser in ((below_two, ["even", "rceil", "ceil"]), (above, ["rceil", "ceil"])):
        found = {rule: quantize_dequantize(block(peak, 0.4), rule=rule)[1].item() for rule in RULES}
        assert found == {rule: 0.5 if rule in coarser else 0.375 for rule in RULES}


def test_nothing_is_rounded_twice() -> None:
    """Beside a tie by less than a bfloat16 shows: by way of bfloat16 it would become the tie, and go the other way."""
    beside = torch.tensor([0.25, 2.5, 5.0])
    above = torch.nextafter(beside, torch.tensor(9.0))
    assert torch.equal(above.bfloat16().float(), beside)
    assert quantize_dequantize(block(6.0, *above.tolist()))[1:4].tolist() == [0.5, 3.0, 6.0]


@given(
    words=st.lists(st.integers(0, 0x7F7FFFFF), min_size=BLOCK_SIZE, max_size=BLOCK_SIZE), rule=st.sampled_from(RULES)
)
@settings(max_examples=100, deadline=None)
def test_any_finite_block_is_rounded_as_exact_rationals_round_it(words: list[int], rule: str) -> None:
    x = torch.tensor(words, dtype=torch.int32).view(torch.float32)
    found = [Fraction(value) for value in quantize_dequantize(x, rule=rule).tolist()]
    assert found == oracle.exact_block(x.tolist(), rule)


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_the_default_type_of_the_process_changes_nothing(default: Any) -> None:
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(7), dtype=torch.float32)
    wanted = quantize_dequantize(x)
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        found = quantize_dequantize(x)
    finally:
        torch.set_default_dtype(before)
    assert found.dtype is torch.float32 and torch.equal(found, wanted)


def test_every_two_rules_differ_somewhere() -> None:
    x = torch.stack([block(1.1, 0.07), block(1.6, 0.4), block(1.9, 0.3), block(1.3, 0.4), block(1.7, 0.11)])
    results = [quantize_dequantize(x, rule=rule) for rule in RULES]
    assert all(not torch.equal(a, b) for i, a in enumerate(results) for b in results[i + 1 :])


def test_zeros_stay_zeros_with_their_signs() -> None:
    x = block(0.0, -0.0)
    assert torch.equal(bits(quantize_dequantize(x)), bits(x))


def test_a_negative_value_that_rounds_to_zero_is_minus_zero() -> None:
    found = quantize_dequantize(block(6.0, -0.1, 0.1))
    assert found[1:3].signbit().tolist() == [True, False]
    assert found[1:3].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("bad", [float("nan"), -float("nan"), float("inf"), -float("inf")])
def test_nan_or_infinity_makes_its_own_block_nan_and_no_other(bad: float, name: str, rule: str) -> None:
    x = torch.ones(1, 3 * BLOCK_SIZE, dtype=DTYPES[name])
    x[0, 40] = bad
    found = quantize_dequantize(x, rule=rule)
    assert found[0, 32:64].isnan().all()
    assert torch.equal(found[0, :32], x[0, :32]) and torch.equal(found[0, 64:], x[0, 64:])


@pytest.mark.parametrize("word", [-1, 0x7FFFFFFF, 0x7F800001, -0x7FFFFF])
def test_nan_of_any_payload_and_sign_makes_nan(word: int) -> None:
    x = torch.zeros(32, dtype=torch.int32)
    x[3] = word
    assert quantize_dequantize(x.view(torch.float32)).isnan().all()


def test_the_smallest_subnormals_round_to_multiples_of_half_the_smallest_scale() -> None:
    unit = 2.0**-128
    x = block(2.0**-149, 0.49 * unit, 0.51 * unit, -unit, 3.2 * unit)
    assert quantize_dequantize(x)[:5].tolist() == [0.0, 0.0, unit, -unit, 3.0 * unit]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("name", "scale"), [("float32", 2.0**125), ("bfloat16", 2.0**125), ("float16", 2.0**13)])
def test_the_largest_values_saturate_and_stay_finite(rule: str, name: str, scale: float) -> None:
    x = block(1.0, 0.0).to(DTYPES[name])
    x[0], x[1] = torch.finfo(x.dtype).max, -torch.finfo(x.dtype).max
    assert quantize_dequantize(x, rule=rule)[:2].tolist() == [6.0 * scale, -6.0 * scale]


@pytest.mark.parametrize("length", [1, 31, 33, 63, 70])
@pytest.mark.parametrize("name", DTYPES)
def test_a_ragged_last_block_has_its_own_scale(length: int, name: str) -> None:
    x = torch.randn(5, length, generator=torch.Generator().manual_seed(length)).to(DTYPES[name])
    padded = torch.nn.functional.pad(x, (0, -length % BLOCK_SIZE))
    found = quantize_dequantize(x)
    assert found.shape == x.shape
    assert torch.equal(bits(found), bits(quantize_dequantize(padded)[:, :length]))


@pytest.mark.parametrize("dim", [0, 1, 2, -2, -3])
def test_blocks_run_along_the_dimension_that_is_asked_for(dim: int) -> None:
    x = torch.randn(40, 33, 65, generator=torch.Generator().manual_seed(3))
    wanted = quantize_dequantize(x.movedim(dim, -1).contiguous()).movedim(-1, dim)
    assert torch.equal(quantize_dequantize(x, block_dim=dim), wanted)


@pytest.mark.parametrize("shape", [(0,), (0, 32), (3, 0), (2, 0, 64)])
def test_empty_tensors_stay_empty(shape: tuple[int, ...]) -> None:
    assert quantize_dequantize(torch.empty(shape)).shape == shape


def test_a_strided_view_is_quantized_as_its_copy_and_left_as_it_was() -> None:
    whole = torch.randn(64, 96, generator=torch.Generator().manual_seed(4))
    before = whole.clone()
    for view in (whole.t(), whole[:, ::3], whole[3:40, 5:70], whole[0].expand(4, 96)):
        assert torch.equal(quantize_dequantize(view), quantize_dequantize(view.contiguous()))
    assert torch.equal(whole, before)


@pytest.mark.parametrize("name", DTYPES)
def test_out_takes_the_result_also_where_it_is_the_input(name: str) -> None:
    x = torch.randn(3, 70, generator=torch.Generator().manual_seed(5)).to(DTYPES[name])
    wanted, out = quantize_dequantize(x), torch.empty_like(x)
    assert quantize_dequantize(x, out=out) is out and torch.equal(out, wanted)
    assert quantize_dequantize(x, out=x) is x and torch.equal(x, wanted)


def test_out_may_be_a_parameter_whose_gradient_is_left_alone() -> None:
    parameter = torch.nn.Parameter(torch.randn(2, 32))
    wanted = quantize_dequantize(parameter)
    assert not wanted.requires_grad
    quantize_dequantize(parameter, out=parameter)
    assert torch.equal(parameter, wanted) and parameter.requires_grad and parameter.grad is None
