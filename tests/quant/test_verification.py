"""Verification reads what others wrote: whatever it gets, it answers with sentences and never with acceptance."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.recipe import Recipe
from quant.verification import document_sha256, layer_problems, quantization_refusals, refusals

RECIPE = Recipe("test", exclude=())
LAYER = {
    "format": "mxfp4",
    "rule": "even",
    "dtype": "float32",
    "same_since_begin": True,
    "weights_on_grid": True,
    "weights_match": True,
    "activations_match": True,
    "calls": 2,
    "weight_calls": 2,
    "activation_calls": 2,
    "activation_rows": 8,
}
BARE = {
    "schema": 1,
    "recipe": RECIPE.to_dict(),
    "expected": ["a", "b"],
    "found": ["a", "b"],
    "layers": {"a": LAYER, "b": LAYER},
    "fingerprint_begin": "f1",
    "fingerprint_end": "f1",
    "checkpoint_fingerprint": "f1",
    "checkpoint_fingerprint_stored": "f1",
    "start_fingerprint": "f0",
    "start_fingerprint_stored": "f0",
}


def sealed(**changes: Any) -> dict[str, Any]:
    """A good document with these entries changed, its sha256 right."""
    document = {**copy.deepcopy(BARE), **changes}
    return {**document, "sha256": document_sha256(document)}


def judge(document: Any, recipe: Recipe | None = RECIPE, checkpoint: str | None = "f1") -> tuple[str, ...]:
    """The refusals."""
    asked = recipe.to_dict() if recipe is not None else None
    return refusals(document, recipe=asked, checkpoint_fingerprint=checkpoint, start_fingerprint="f0")


def test_a_good_document_is_accepted() -> None:
    assert judge(sealed()) == ()


def test_any_edit_after_sealing_is_seen() -> None:
    document = sealed()
    document["layers"]["a"]["calls"] = 3
    assert judge(document) == ("the attestation was changed after it was made",)


@pytest.mark.parametrize("key", BARE)
def test_a_document_without_an_entry_is_refused(key: str) -> None:
    document = {name: value for name, value in BARE.items() if name != key}
    optional = {
        "checkpoint_fingerprint",
        "checkpoint_fingerprint_stored",
        "start_fingerprint",
        "start_fingerprint_stored",
    }
    found = judge({**document, "sha256": document_sha256(document)})
    assert (found == ()) == (key in optional), found


@pytest.mark.parametrize("key", LAYER)
def test_a_layer_without_an_entry_is_refused(key: str) -> None:
    layer = {name: value for name, value in LAYER.items() if name != key}
    assert judge(sealed(layers={"a": LAYER, "b": layer})) == (f"the attestation is malformed: KeyError at '{key}'",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from([*BARE]), value=JSON)
@settings(max_examples=200, deadline=None)
def test_an_entry_of_any_form_gives_sentences_and_raises_nothing(key: str, value: Any) -> None:
    assert all(isinstance(reason, str) and reason for reason in judge(sealed(**{key: value})))


@given(key=st.sampled_from([*LAYER]), value=JSON)
@settings(max_examples=200, deadline=None)
def test_a_layers_entry_of_any_form_gives_sentences_and_raises_nothing(key: str, value: Any) -> None:
    assert all(
        isinstance(reason, str) and reason for reason in judge(sealed(layers={"a": LAYER, "b": {**LAYER, key: value}}))
    )


@pytest.mark.parametrize("key", ["recipe", "expected", "layers", "fingerprint_begin", "fingerprint_end"])
@pytest.mark.parametrize("value", [None, 0, [], {}, "text"])
def test_an_entry_of_a_wrong_form_is_refused(key: str, value: Any) -> None:
    assert judge(sealed(**{key: value})) != ()


@pytest.mark.parametrize("document", [{}, {"schema": 2}, {"schema": None}, json.loads('{"schema": "1"}')])
def test_other_schemas_and_nothing_are_refused(document: dict[str, Any]) -> None:
    assert len(judge(document)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale_rule": "floor"}, "scale_rule was `even`, asked for was `floor`"),
        ({"quantize_activations": False}, "quantize_activations was `True`, asked for was `False`"),
        ({"exclude": ("lm_head",)}, "left alone were [], asked for was ['lm_head']"),
        ({"include": ("mlp",)}, "meant were only [], asked for was ['mlp']"),
        ({"dtype": "bfloat16"}, "dtype was `float32`, asked for was `bfloat16`"),
    ],
)
def test_another_recipe_is_refused_by_the_key_that_differs(changes: dict[str, Any], words: str) -> None:
    asked = Recipe(**{**RECIPE.to_dict(), "exclude": (), **changes})
    assert words in judge(sealed(), asked)


def test_the_recipes_name_does_not_matter() -> None:
    assert judge(sealed(), Recipe("other name", exclude=())) == ()


def test_no_expected_layer_is_no_proof() -> None:
    assert judge(sealed(expected=[], found=[], layers={})) == ("the recipe means no linear layer of this model",)


def test_many_layers_are_named_by_three_and_a_count() -> None:
    names = [f"layer{index}" for index in range(40)]
    assert judge(sealed(expected=names, found=[])) == (
        "not quantized: layer0, layer1, layer2 and 37 more of 40 expected layers",
    )


def test_a_layer_with_more_products_than_roundings_is_refused() -> None:
    for counter, words in (("weight_calls", "weights were not"), ("activation_calls", "activations were not")):
        (problem,) = layer_problems({**LAYER, counter: 1}, RECIPE.to_dict())
        assert problem.startswith(words)


def test_a_layer_whose_activations_had_no_rows_is_refused() -> None:
    assert layer_problems({**LAYER, "activation_rows": 0}, RECIPE.to_dict())


def test_rounding_what_the_recipe_keeps_is_refused() -> None:
    kept_activations = Recipe("a", quantize_activations=False).to_dict()
    assert layer_problems(LAYER, kept_activations) == ("activations were rounded, the recipe keeps them",)
    kept_weights = Recipe("a", quantize_weights=False).to_dict()
    assert layer_problems(LAYER, kept_weights) == ("weights were rounded, the recipe keeps them",)


def test_an_unknown_checkpoint_is_no_proof() -> None:
    (reason,) = judge(sealed(), checkpoint=None)
    assert "fingerprint is not known" in reason
    assert quantization_refusals(sealed(), RECIPE.to_dict()) == ()


def test_weights_that_changed_are_not_the_checkpoints() -> None:
    assert judge(sealed(fingerprint_end="f2")) == ("the weights changed during the evaluation",)
    assert judge(sealed(fingerprint_begin="f2", fingerprint_end="f2")) == (
        "the weights evaluated are not the checkpoint's",
    )


def test_weights_stored_in_another_type_need_both_fingerprints() -> None:
    loaded = {"fingerprint_begin": "f1b", "fingerprint_end": "f1b"}
    assert judge(sealed(**loaded, checkpoint_fingerprint="f1b")) == ()
    assert judge(sealed(**loaded, checkpoint_fingerprint="f9b")) != ()
    assert judge(sealed(**loaded, checkpoint_fingerprint="f1b", checkpoint_fingerprint_stored="f9")) != ()
    start = {"start_fingerprint": "f1b", "start_fingerprint_stored": "f0"}
    (reason,) = judge(sealed(**loaded, checkpoint_fingerprint="f1b", **start))
    assert "start model" in reason
