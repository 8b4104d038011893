"""The recipe inside real vLLM: equal to the reference, through syncs, compiled, and every layer attested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quant.fingerprint import fingerprint_checkpoint
from quant.verification import refusals
from tests.real import reference

pytestmark = [pytest.mark.real_vllm, pytest.mark.timeout(1800)]

Play = Callable[[str], dict[str, Any]]
LINEARS = 16
TOLERANCE = 1e-4


def judged(seen: dict[str, Any], checkpoint: Path, recipe: dict[str, Any] | None = None) -> tuple[str, ...]:
    """Why the attestation is refused, asked for that checkpoint and the recipe it ran with."""
    document = seen["document"]
    asked = recipe or document["recipe"]
    dtype = asked["dtype"] if asked else "bfloat16"
    wanted = fingerprint_checkpoint(checkpoint, dtype=dtype)
    return refusals(document, recipe=asked, checkpoint_fingerprint=wanted, start_fingerprint=None)


def distance(seen: dict[str, Any], wanted: list[list[float]]) -> float:
    """The largest difference between the prompts' log-probabilities."""
    pairs = [pair for mine, theirs in zip(seen["log_probabilities"], wanted) for pair in zip(mine, theirs, strict=True)]
    return max(abs(mine - theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("scenario", ["eager", "compiled"])
def test_prompts_have_the_references_log_probabilities_through_two_syncs(
    scenario: str, play: Play, laboratory: Path
) -> None:
    seen = play(scenario)
    for name, checkpoint in (("first", "first"), ("second", "second"), ("again", "first")):
        wanted = reference.log_probabilities(laboratory / checkpoint, quantized=True)
        assert distance(seen[name], wanted) < TOLERANCE, name
    unquantized = reference.log_probabilities(laboratory / "first", quantized=False)
    assert distance(seen["first"], unquantized) > 100 * TOLERANCE


@pytest.mark.parametrize("scenario", ["eager", "compiled", "nvfp4"])
def test_every_layer_is_attested_at_the_start_and_after_each_sync(scenario: str, play: Play, laboratory: Path) -> None:
    seen = play(scenario)
    for name, checkpoint in (("first", "first"), ("second", "second"), ("again", "first")):
        assert judged(seen[name], laboratory / checkpoint) == (), name
        document = seen[name]["document"]
        assert document["active_layers"] == document["expected_layers"] == len(document["layers"]) == LINEARS
        assert all(layer["rows"] >= document["tokens"] > 0 for layer in document["layers"].values())


@pytest.mark.parametrize("scenario", ["eager", "compiled", "nvfp4"])
def test_resident_weights_are_bit_for_bit_what_the_formats_make_of_the_checkpoint(scenario: str, play: Play) -> None:
    identical = play(scenario)["identical"]
    assert len(identical) == 28 and all(identical.values())


@pytest.mark.parametrize("scenario", ["eager", "compiled", "nvfp4"])
def test_finishing_again_without_new_weights_changes_nothing(scenario: str, play: Play) -> None:
    seen = play(scenario)
    repeated, second = seen["repeated"], seen["second"]
    assert repeated["log_probabilities"] == second["log_probabilities"]
    assert repeated["document"]["resident_end"] == second["document"]["resident_end"]
    assert repeated["document"]["fingerprint_end"] == second["document"]["fingerprint_end"]


@pytest.mark.parametrize("scenario", ["eager", "compiled"])
def test_the_weights_of_before_a_sync_are_refused(scenario: str, play: Play, laboratory: Path) -> None:
    assert judged(play(scenario)["first"], laboratory / "second") == ("the weights evaluated are not the checkpoint's",)


FAULTS = {
    "not finished": "weights multiplied were off the grid",
    "one layer skipped": "not quantized: model.layers.1.mlp.down_proj of 16 expected layers",
    "counters frozen": "not used during the evaluation: model.layers.1.mlp.down_proj",
    "one layer twice": "more rows were multiplied than in the other layers: model.layers.1.mlp.down_proj",
    "noise on the norms": "the weights changed during the evaluation",
    "W4A16": "activations were not rounded by the recipe's rule: ",
    "W16A4": "weights multiplied were off the grid: ",
    "wrong rule": "scale rule was floor: ",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_inside_the_engine_is_refused_with_its_reason(fault: str, play: Play, laboratory: Path) -> None:
    found = judged(play("eager")["faults"][fault], laboratory / "second")
    assert any(reason.startswith(FAULTS[fault]) for reason in found), found


def test_once_mended_the_engine_is_accepted_again(play: Play, laboratory: Path) -> None:
    assert judged(play("eager")["faults"]["healed"], laboratory / "second") == ()


def test_a_hook_registered_after_compiling_never_runs_and_is_refused(play: Play, laboratory: Path) -> None:
    seen = play("compiled")["hooked"]
    assert seen["fired"] == 0
    assert judged(seen, laboratory / "first") == (
        "forward hooks, which no compiled graph runs: model.layers.0.mlp.down_proj",
    )


def test_a_fused_layer_of_which_a_sync_brought_only_a_part_is_refused_in_nvfp4(play: Play) -> None:
    assert "without model.layers.0.self_attn.k_proj, whose NVFP4 scale it shares" in play("nvfp4")["torn"]


def test_vllm_without_the_plugin_proves_itself_unquantized_and_no_recipe(play: Play, laboratory: Path) -> None:
    seen = play("bf16")
    assert judged(seen["unquantized"], laboratory / "first") == ()
    found = judged(seen["asked"], laboratory / "first")
    assert len(found) == 1 and found[0].startswith("not quantized: ") and "of 16 expected layers" in found[0]
    probes = seen["asked"]["document"]["layers"].values()
    assert not any(layer["weights_on_grid"] or layer["activations_match"] for layer in probes)


def test_gpt_oss_mxfp4_starts_quantizes_nothing_and_is_refused(play: Play, laboratory: Path) -> None:
    found = judged(play("gpt_oss"), laboratory / "first")
    assert any(reason.startswith("not quantized: ") for reason in found), found
