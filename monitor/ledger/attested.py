"""What an attestation proves: with which recipe, whose weights. Pure; both forms of it are read here.

The full form is a document of `quant.attestation`, checked by `quant.verification`. The short form is the engine's own
count in the log (`W4A4 active in 196/196 linear layers, … calls, weights F of step N`): execution too, of less detail.
Facts of both forms may have been joined into one dictionary; the short form's own keys are then set aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quant.errors import RecipeError
from quant.recipe import Recipe
from quant.verification import document_sha256, quantization_refusals

NONE = "none"
"""The recipe's name where quantization was proved to be off, or training had none."""

_NEEDED_KEYS = ("format", "scale_rule", "block_size", "quantize_weights", "quantize_activations", "exclude", "dtype")
"""Without these a recipe does not say what its layers compute."""
_SHORT_KEYS = frozenset({"scheme", "weights_fingerprint"})


@dataclass(frozen=True)
class Attested:
    """What an attestation says, without judging it against a run."""

    recipe: str | None = None
    """Name of the recipe that was active, `none` where none was, None where that isn't said."""
    weights_step: int | None = None
    weights_fingerprint: str | None = None
    checkpoint_fingerprint: str | None = None
    start_fingerprint: str | None = None


def read(attestation: Mapping[str, Any], recipe: Mapping[str, Any] | None) -> Attested:
    """What `attestation` says. `recipe` is the run's own: the short form names only its kind (`W4A4`)."""
    if not attestation:
        return Attested()
    step = attestation.get("weights_step")
    return Attested(
        recipe=_recipe_name(attestation, recipe),
        weights_step=step if isinstance(step, int) and not isinstance(step, bool) else None,
        weights_fingerprint=_text(attestation, "fingerprint_end") or _text(attestation, "weights_fingerprint"),
        checkpoint_fingerprint=_text(attestation, "checkpoint_fingerprint"),
        start_fingerprint=_text(attestation, "start_fingerprint"),
    )


def objections(attestation: Mapping[str, Any], recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Why `attestation` does not prove that `recipe` was active in every layer it means; empty: it does."""
    if not attestation:
        return ("there is no attestation",)
    unsaid = [key for key in _NEEDED_KEYS if key not in recipe]
    if unsaid and is_full(attestation):
        return (f"the run's recipe does not say its {', '.join(unsaid)}, so that what was active can't be compared",)
    if not is_full(attestation):
        return _short_objections(attestation, recipe)
    document = {key: value for key, value in attestation.items() if key not in _SHORT_KEYS}
    if document.get("sha256") != document_sha256(document):
        return ("the attestation was changed after it was made",)
    try:
        return quantization_refusals(document, recipe)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return (f"the attestation is malformed: {type(error).__name__} at {error}",)


def weights_changed(attestation: Mapping[str, Any]) -> bool:
    """True where the weights were others at the evaluation's end than before its first sample."""
    begin, end = attestation.get("fingerprint_begin"), attestation.get("fingerprint_end")
    return begin is not None and begin != end


def noise_on(attestation: Mapping[str, Any]) -> str:
    """The noise that was on the weights when the evaluation ended, in words; empty where none was, or nobody says."""
    noise = attestation.get("noise")
    if not isinstance(noise, Mapping) or not noise.get("active"):
        return ""
    return f"noise of sigma {noise.get('sigma')} ({noise.get('schedule') or 'a schedule without a name'})"


def is_full(attestation: Mapping[str, Any]) -> bool:
    """True for a document of `quant.attestation`."""
    return "layers" in attestation and "schema" in attestation


def summary(attestation: Mapping[str, Any]) -> str:
    """`8/8 linear layers, 1024 calls`."""
    active, expected = attestation.get("active_layers"), attestation.get("expected_layers")
    return f"{active}/{expected} linear layers, {attestation.get('calls')} calls"


def _recipe_name(attestation: Mapping[str, Any], recipe: Mapping[str, Any] | None) -> str | None:
    if is_full(attestation):
        attested = attestation.get("recipe")
        if attested is None:
            return NONE if not attestation.get("found") else None
        return str(attested.get("name")) if isinstance(attested, Mapping) else None
    if attestation.get("active_layers") == 0:
        return NONE
    scheme = attestation.get("scheme")
    if recipe is not None and scheme is not None and scheme == _label(recipe):
        return str(recipe.get("name"))
    return str(scheme) if scheme is not None else None


def _short_objections(attestation: Mapping[str, Any], recipe: Mapping[str, Any]) -> tuple[str, ...]:
    active, expected, calls = (attestation.get(key) for key in ("active_layers", "expected_layers", "calls"))
    label = _label(recipe)
    found = []
    if label is None or attestation.get("scheme") != label:
        found.append(f"the engine says {attestation.get('scheme')}, the recipe is {label}")
    if not (isinstance(active, int) and isinstance(expected, int) and active == expected > 0):
        found.append(f"quantization was active in {active} of {expected} linear layers")
    if not (isinstance(calls, int) and calls > 0):
        found.append(f"the engine counted {calls} quantized calls")
    return tuple(found)


def _label(recipe: Mapping[str, Any]) -> str | None:
    try:
        return Recipe.from_dict(recipe).label
    except RecipeError:
        return None


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return value if isinstance(value, str) and value else None
