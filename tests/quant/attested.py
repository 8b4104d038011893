"""An evaluation of the tiny model with a fault to order, and the verdict on its attestation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from quant import attestation
from quant.fingerprint import fingerprint
from quant.layers import apply_recipe
from quant.recipe import Recipe
from quant.verification import refusals
from tests.quant.tiny import TinyModel

RECIPE = Recipe("test")
INPUTS = torch.randn(6, 40, generator=torch.Generator().manual_seed(9))
TRAINED = fingerprint(TinyModel(seed=1).state_dict())
START = fingerprint(TinyModel(seed=0).state_dict())
ALL_LAYERS = "first, block.up, block.down"


def attest(
    before: Callable[[Any], object] = lambda model: None,
    during: Callable[[Any], object] = lambda model: None,
    *,
    recipe: Recipe | None = RECIPE,
) -> dict[str, Any]:
    """An evaluation of the trained model: `before` it is opened, `during` it between two of its three batches."""
    model = TinyModel(seed=1)
    if recipe is not None:
        apply_recipe(model, recipe)
    before(model)
    opening = attestation.begin(model, recipe)
    with torch.no_grad():
        model(INPUTS)
        during(model)
        model(INPUTS.to(model.first.weight.dtype))
        model(INPUTS.to(model.first.weight.dtype))
    return attestation.close(model, opening, checkpoint_fingerprint=TRAINED, start_fingerprint=START, weights_step=29)


def reasons(document: dict[str, Any], recipe: Recipe | None = RECIPE) -> tuple[str, ...]:
    """Why it is refused."""
    asked = recipe.to_dict() if recipe is not None else None
    return refusals(document, recipe=asked, checkpoint_fingerprint=TRAINED, start_fingerprint=START)
