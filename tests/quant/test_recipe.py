"""Recipes: every mistake in one is refused in a sentence that names it, and what is stored comes back equal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quant import BLOCK_SIZES, FORMATS
from quant.recipe import Recipe, RecipeError, known_recipes, load_recipe


def refused(call: Any) -> tuple[str, str]:
    """The sentence and the cure."""
    with pytest.raises(RecipeError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    return str(caught.value), caught.value.HELP_TEXT


def test_the_shipped_recipe_is_w4a4_by_the_even_rule() -> None:
    recipe = load_recipe("mxfp4_w4a4")
    assert (recipe.label, recipe.format, recipe.scale_rule, recipe.dtype) == ("W4A4", "mxfp4", "even", "float32")
    assert recipe.excludes("lm_head")


def test_every_shipped_recipe_loads_and_bears_its_files_name() -> None:
    assert [load_recipe(name).name for name in known_recipes()] == list(known_recipes())


@pytest.mark.parametrize("recipe", [Recipe("a"), Recipe("b", scale_rule="ceil", exclude=(), quantize_weights=False)])
def test_a_dictionary_gives_an_equal_recipe(recipe: Recipe) -> None:
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("weights", "activations", "label"), [(True, True, "W4A4"), (True, False, "W4A16"), (False, True, "W16A4")]
)
def test_the_label_says_what_is_quantized(weights: bool, activations: bool, label: str) -> None:
    assert Recipe("a", quantize_weights=weights, quantize_activations=activations).label == label


def test_a_name_matches_a_part_of_the_dotted_name_and_a_pattern_all_of_it() -> None:
    recipe = Recipe("a", exclude=("lm_head", "*.mlp.*"))
    assert [recipe.excludes(name) for name in ("lm_head", "model.lm_head", "layers.0.mlp.up", "lm_head2", "mlp")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_include_names_the_only_layers_and_exclude_goes_before() -> None:
    recipe = Recipe("a", include=("*.mlp.*", "head"), exclude=("down",))
    names = ("head", "layers.0.mlp.up", "layers.0.mlp.down", "layers.0.attention.q")
    assert [recipe.excludes(name) for name in names] == [False, False, True, True]
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert "include" not in Recipe("a").to_dict()


@pytest.mark.parametrize(("fmt", "size"), [("mxfp4", 32), ("nvfp4", 16)])
def test_the_block_size_is_the_formats_own(fmt: str, size: int) -> None:
    assert Recipe("a", format=fmt).block_size == size


def test_an_unknown_recipe_is_refused_with_the_nearest_name() -> None:
    sentence, cure = refused(lambda: load_recipe("mxfp4_w4a"))
    assert "unknown recipe `mxfp4_w4a`" in sentence and "mxfp4_w4a4" in cure
    assert "mxfp4_w4a4" in refused(lambda: load_recipe("something else"))[1]


@pytest.mark.parametrize("name", ["", "..", "../monitor"])
def test_a_name_never_leaves_the_recipes_folder(name: str) -> None:
    refused(lambda: load_recipe(name))


def test_an_unknown_key_is_refused_with_the_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("scale_rul: even\n")
    sentence, cure = refused(lambda: load_recipe(path))
    assert "unknown key `scale_rul`" in sentence and "`scale_rule`" in cure


def test_a_file_of_ones_own_takes_its_name_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("scale_rule: floor\nexclude: []\n")
    assert load_recipe(str(path)) == Recipe("mine", scale_rule="floor", exclude=())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format: mxfp6", "unknown format `mxfp6`"),
        ("format: fp5", "unknown format"),
        ("scale_rule: odd", "scale_rule is `odd`"),
        ("block_size: 16", "block_size is `16`"),
        ("format: nvfp4\nblock_size: 32", "block_size is `32`"),
        ("format: nvfp4\nscale_rule: floor", "scale_rule is `floor`"),
        ("include: [1]", "include is not a list"),
        ("block_size: '32'", "block_size is `32`, not a int"),
        ("block_size: true", "not a int"),
        ("quantize_weights: 1", "not a bool"),
        ("dtype: float64", "dtype is `float64`"),
        ("exclude: lm_head", "exclude is not a list"),
        ("exclude: [1]", "exclude is not a list"),
        ("quantize_weights: false\nquantize_activations: false", "neither weights nor activations"),
        ("- a\n- b", "expected keys and values"),
        ("a: [", "not YAML"),
        ("", "expected keys and values"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_every_mistake_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    sentence, cure = refused(lambda: load_recipe(path))
    assert words in sentence and cure


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "none.yaml" in refused(lambda: load_recipe(tmp_path / "none.yaml"))[0]


def test_recipes_know_exactly_the_formats_rules_and_block_sizes_that_are_built() -> None:
    formats = pytest.importorskip("quant.formats.mxfp4"), pytest.importorskip("quant.formats.nvfp4")
    assert {each.NAME: set(each.RULES) for each in formats} == {name: set(rules) for name, rules in FORMATS.items()}
    assert {each.NAME: each.BLOCK_SIZE for each in formats} == BLOCK_SIZES


def test_a_dictionary_without_a_name_is_refused() -> None:
    assert "no `name`" in refused(lambda: Recipe.from_dict({}))[0]


def test_recipes_verification_and_evaluation_are_imported_without_torch() -> None:
    code = "import sys, quant.recipe, quant.verification, quant.evaluation; print('torch' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"
