"""Generation: the same bits for a request wherever it lies in the batch, whoever else is in it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from monitor.demo import arithmetic
from monitor.demo.generation import Row, decode_step, generate_batch
from monitor.demo.tiny_model import TinyTransformer, start_model
from quant.layers import apply_recipe
from quant.recipe import load_recipe

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model() -> TinyTransformer:
    made = start_model(3)
    apply_recipe(made, load_recipe("mxfp4_w4a4"))
    return made


def _generate(model: TinyTransformer, requests: Sequence[tuple[str, str | None]]) -> dict[str, tuple[list[int], float]]:
    rows = [Row(arithmetic.encode(prompt), seed) for prompt, seed in requests]
    generate_batch(model, rows)
    return {prompt: (row.tokens, row.log_probability) for (prompt, _), row in zip(requests, rows)}


@pytest.mark.parametrize("sampled", [False, True])
def test_a_response_is_the_same_bit_for_bit_in_any_company_and_any_row(model: TinyTransformer, sampled: bool) -> None:
    prompts = [problem.prompt for problem in random.Random(7).sample(arithmetic.all_problems(), arithmetic.BATCH_ROWS)]
    requests = [(prompt, f"seed {prompt}" if sampled else None) for prompt in prompts]
    together = _generate(model, requests)
    assert _generate(model, requests[::-1]) == together
    for request in requests:
        assert _generate(model, [request]) == {request[0]: together[request[0]]}


def test_another_seed_samples_another_response(model: TinyTransformer) -> None:
    responses = {tuple(_generate(model, [("49+2=", f"seed {index}")])["49+2="][0]) for index in range(20)}
    assert len(responses) > 3


def test_a_response_ends_at_its_end_token_or_at_its_room(model: TinyTransformer) -> None:
    ended = Row(arithmetic.encode("49+2="), tokens=[1, arithmetic.END])
    full = Row(arithmetic.encode("49+2="), tokens=[1] * arithmetic.RESPONSE_TOKENS)
    decode_step(model, [ended, full])
    assert ended.tokens == [1, arithmetic.END]
    assert full.tokens == [1] * arithmetic.RESPONSE_TOKENS


def test_more_rows_than_the_batch_has_are_refused(model: TinyTransformer) -> None:
    with pytest.raises(ValueError, match="17 rows"):
        decode_step(model, [Row(arithmetic.encode("49+2="))] * 17)
