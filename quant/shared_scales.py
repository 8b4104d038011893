"""Which layers of a trainer share one NVFP4 tensor scale, as engines have it that fuse them into one weight.

Covers the groups of a recipe's `shared_scales` in a model. The scale itself is `quant.rounding.shared_scale`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quant.errors import RecipeError
from quant.recipe import Recipe


def groups(model: Any, layers: Mapping[str, Any], recipe: Recipe) -> dict[str, tuple[Any, ...]]:
    """Of each layer that shares a scale: all layers of its group, itself among them, in the recipe's order.

    Layers share one if they lie in the same module under names that the recipe groups. Raises `RecipeError` where the
    recipe leaves one of a group alone.
    """
    every = dict(model.named_modules())
    found: dict[str, tuple[Any, ...]] = {}
    for name in layers:
        stem, dot, last = name.rpartition(".")
        group = next((each for each in recipe.shared_scales if last in each), ())
        names = [f"{stem}{dot}{each}" for each in group if f"{stem}{dot}{each}" in every]
        left_alone = [each for each in names if each not in layers]
        if left_alone:
            raise RecipeError(
                f"the recipe leaves {left_alone[0]} alone, which shares its scale with {name}",
                "exclude all of them, or none",
            )
        if len(names) > 1:
            found[name] = tuple(every[each] for each in names)
    return found
