"""Recipes: what is quantized, to what, by which rule. Training and evaluation share one, or their scores don't compare.

Covers the record, its YAML and its checks. Imports no torch: a monitor reads recipes without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant import BLOCK_SIZES, FORMATS, check_format, documents
from quant.errors import FormatError, RecipeError

_RARE_KEYS = ("include", "kernels", "shared_scales")
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Recipe:
    """One way to quantize a model's linear layers. Raises `RecipeError` where it could not be applied."""

    name: str
    format: str = "mxfp4"
    scale_rule: str = "even"
    block_size: int = 0
    """The format's own; 0 stands for it, and is never kept."""
    quantize_weights: bool = True
    quantize_activations: bool = True
    exclude: tuple[str, ...] = ("lm_head",)
    """Linear layers left alone: each a part of the dotted name (`lm_head`), or a pattern of all of it (`*.mlp.*`)."""
    include: tuple[str, ...] = ()
    """Where there are any, only linear layers that one of these names; `exclude` goes before."""
    dtype: str = "float32"
    kernels: tuple[str, ...] = ()
    """Whose code computes the products, where it isn't laststep's: `compressed_tensors`, a linear method of vLLM's."""

    shared_scales: tuple[tuple[str, ...], ...] = ()
    """NVFP4: layers of one module that share a tensor scale, as where they are fused: `(("gate_proj", "up_proj"),)`."""

    def __post_init__(self) -> None:
        try:
            check_format(self.format)
        except FormatError as error:
            raise RecipeError(f"recipe `{self.name}`: {error}", error.HELP_TEXT) from error
        if self.block_size == 0 and type(self.block_size) is int:
            object.__setattr__(self, "block_size", BLOCK_SIZES[self.format])
        self._expect("scale_rule", self.scale_rule, FORMATS[self.format])
        self._expect("block_size", self.block_size, (BLOCK_SIZES[self.format],))
        self._expect("dtype", self.dtype, DTYPES)
        if self.shared_scales and self.format != "nvfp4":
            raise RecipeError(f"recipe `{self.name}`: {self.format} has no tensor scale to share", "take `nvfp4`")
        if not (self.quantize_weights or self.quantize_activations):
            raise RecipeError(f"recipe `{self.name}` quantizes neither weights nor activations", "turn one of them on")

    def _expect(self, key: str, value: object, allowed: tuple[object, ...]) -> None:
        if value not in allowed:
            words = ", ".join(f"`{word}`" for word in allowed)
            raise RecipeError(f"recipe `{self.name}`: {key} is `{value}`", f"{key}: {words}")

    @property
    def label(self) -> str:
        """`W4A4`, `W4A16` or `W16A4`."""
        return f"W{4 if self.quantize_weights else 16}A{4 if self.quantize_activations else 16}"

    def excludes(self, layer: str) -> bool:
        """Whether the linear layer of this dotted name is left alone: by `exclude`, or since `include` names others."""
        left_out = bool(self.include) and not documents.names(self.include, layer)
        return left_out or documents.names(self.exclude, layer)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives an equal recipe. What few recipes have is no key in the others."""
        rare: dict[str, Any] = {key: list(getattr(self, key)) for key in ("include", "kernels") if getattr(self, key)}
        if self.shared_scales:
            rare["shared_scales"] = [list(group) for group in self.shared_scales]
        rest = {key: value for key, value in dataclasses.asdict(self).items() if key not in _RARE_KEYS}
        return {**rest, "exclude": list(self.exclude), **rare}

    def check_own(self) -> None:
        """Raises `RecipeError` where others' kernels are declared: laststep attests those, and can't put them in."""
        if self.kernels:
            raise RecipeError(
                f"recipe `{self.name}` is computed by {', '.join(self.kernels)}: laststep attests it only",
                "leave `kernels` out to have laststep quantize",
            )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Recipe:
        """Raises `RecipeError` for an unknown or missing key, or a value of the wrong kind."""
        documents.check_keys(document, [field.name for field in dataclasses.fields(cls)], "recipe", RecipeError)
        return cls(**{key: _checked(key, value) for key, value in document.items()})


def _checked(key: str, value: Any) -> Any:
    """The value in the field's own type. A YAML `on` for a number, or a number for a name, is refused."""
    if key in ("exclude", "include", "kernels"):
        return _names(key, value)
    if key == "shared_scales":
        if not isinstance(value, (list, tuple)):
            raise RecipeError("recipe: shared_scales is not a list of groups", "shared_scales: [[gate_proj, up_proj]]")
        return tuple(_names(key, group) for group in value)
    kind: type = {"block_size": int, "quantize_weights": bool, "quantize_activations": bool}.get(key, str)
    if type(value) is not kind:
        raise RecipeError(f"recipe: {key} is `{value}`, not a {kind.__name__}", "see configs/quant for the form")
    return value


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
        cure = "shared_scales: [[gate_proj, up_proj]]" if key == "shared_scales" else f"{key}: [lm_head]"
        raise RecipeError(f"recipe: {key} is not a list of names", cure)
    return tuple(value)


def known_recipes() -> tuple[str, ...]:
    """Names that `load_recipe` takes."""
    return documents.shipped("quant")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe of this name in configs/quant, or in a YAML file of one's own. Raises `RecipeError`."""
    return Recipe.from_dict(documents.load(name_or_path, "quant", "recipe", RecipeError))
