"""Recipes: what is quantized, to what, by which rule. Training and evaluation share one, or their scores don't compare.

Covers the record, its YAML and its checks. Imports no torch: a monitor reads recipes without it.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant import BLOCK_SIZES, FORMATS, check_format
from quant.errors import FormatError, RecipeError

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
        return _names(self.exclude, layer) or bool(self.include and not _names(self.include, layer))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives an equal recipe. Without `include` there is no such key."""
        include = {"include": list(self.include)} if self.include else {}
        rest = {key: value for key, value in dataclasses.asdict(self).items() if key != "include"}
        return {**rest, "exclude": list(self.exclude), **include}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Recipe:
        """Raises `RecipeError` for an unknown or missing key, or a value of the wrong kind."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for key in document:
            if key not in fields:
                near = difflib.get_close_matches(str(key), fields, n=1)
                hint = f"did you mean `{near[0]}`?" if near else "known keys: " + ", ".join(fields)
                raise RecipeError(f"recipe: unknown key `{key}`", hint)
        if "name" not in document:
            raise RecipeError("recipe: no `name`", "give it one, the file's own for example")
        return cls(**{key: _checked(key, value) for key, value in document.items()})


def _names(patterns: tuple[str, ...], layer: str) -> bool:
    """Whether one of them is a part of the dotted name, or a pattern of all of it."""
    parts = layer.split(".")
    return any(pattern in parts or fnmatch.fnmatchcase(layer, pattern) for pattern in patterns)


def _checked(key: str, value: Any) -> Any:
    """The value in the field's own type. A YAML `on` for a number, or a number for a name, is refused."""
    if key in ("exclude", "include"):
        if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
            raise RecipeError(f"recipe: {key} is not a list of names", f"{key}: [lm_head]")
        return tuple(value)
    kind: type = {"block_size": int, "quantize_weights": bool, "quantize_activations": bool}.get(key, str)
    if type(value) is not kind:
        raise RecipeError(f"recipe: {key} is `{value}`, not a {kind.__name__}", "see configs/quant for the form")
    return value


def recipe_directory() -> Path:
    """The folder of the recipes that ship with laststep."""
    return Path(__file__).resolve().parent.parent / "configs" / "quant"


def known_recipes() -> tuple[str, ...]:
    """Names that `load_recipe` takes."""
    return tuple(sorted(path.stem for path in recipe_directory().glob("*.yaml")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe of this name in configs/quant, or in a YAML file of one's own. Raises `RecipeError`."""
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    path = Path(text) if is_path else recipe_directory() / f"{text}.yaml"
    if not is_path and text not in known_recipes():
        near = difflib.get_close_matches(text, known_recipes(), n=1)
        hint = f"did you mean `{near[0]}`?" if near else "recipes: " + ", ".join(known_recipes())
        raise RecipeError(f"unknown recipe `{text}`", hint)
    return Recipe.from_dict({"name": path.stem, **_read_yaml(path)})


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"can't read the recipe {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not YAML", "mend the file") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: expected keys and values", "see configs/quant for the form")
    return document
