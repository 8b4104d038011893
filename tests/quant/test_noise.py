"""Noise on a model: drawn from (seed, step, layer), off again bit for bit, and never unseen."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from quant.errors import NoiseError, WeightsError
from quant.fingerprint import fingerprint
from quant.noise import add_noise, layer_noise, noise_off, noise_state, noisy_weights, remove_noise
from quant.noise_schedule import NoiseSchedule

pytestmark = pytest.mark.torch

SCHEDULE = NoiseSchedule("test", sigma_start=0.5, sigma_end=0.1, stages=4)
SILENT = {"active": False, "sigma": 0.0, "layers": {}, "schedule": None, "step": None, "total_steps": None}


class EngineRMSNorm(nn.Module):
    """A norm of an engine's own class, as vLLM's are."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, 64).bfloat16())


@pytest.fixture
def model() -> Any:
    layers = {"norm": EngineRMSNorm(), "mlp": nn.Linear(8, 8), "inner": nn.ModuleDict({"norm": nn.RMSNorm(64)})}
    return nn.ModuleDict(layers)


def weights(model: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_every_rms_norm_gets_noise_and_nothing_else(model: Any) -> None:
    before = weights(model)
    state = add_noise(model, SCHEDULE, step=25, total_steps=100)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"norm.weight", "inner.norm.weight"}
    assert state["layers"] == {"norm": 0.5, "inner.norm": 0.5} and state["active"] and state["sigma"] == 0.5
    assert json.loads(json.dumps(state)) == noise_state(model)


def test_noise_is_drawn_in_float32_and_added_in_the_weights_own_type(model: Any) -> None:
    before = weights(model)
    add_noise(model, SCHEDULE, step=25, total_steps=100)
    drawn = layer_noise(before["norm.weight"], 0, 25, "norm", 0.5)
    assert drawn.dtype is torch.bfloat16
    assert torch.equal(model.norm.weight, before["norm.weight"] + drawn)
    assert 0.3 < drawn.float().std().item() < 0.7


def test_the_clean_weights_come_back_bit_for_bit(model: Any) -> None:
    before = fingerprint(model.state_dict())
    with noisy_weights(model, SCHEDULE, step=50, total_steps=100):
        assert fingerprint(model.state_dict()) != before
    assert fingerprint(model.state_dict()) == before and noise_state(model) == SILENT


def test_they_come_back_after_an_error_too(model: Any) -> None:
    before = fingerprint(model.state_dict())
    with pytest.raises(KeyError), noisy_weights(model, SCHEDULE, step=50, total_steps=100):
        raise KeyError("own")
    assert fingerprint(model.state_dict()) == before


def test_noise_follows_from_seed_step_and_layer_alone() -> None:
    weight = torch.zeros(32)
    first = layer_noise(weight, 1, 2, "a", 0.1)
    torch.manual_seed(5)
    torch.randn(10)
    assert torch.equal(layer_noise(weight, 1, 2, "a", 0.1), first)
    for other in (layer_noise(weight, 2, 2, "a", 0.1), layer_noise(weight, 1, 3, "a", 0.1)):
        assert not torch.equal(other, first)
    assert not torch.equal(layer_noise(weight, 1, 2, "b", 0.1), first)


def test_drawing_noise_leaves_the_random_state_of_the_process_alone(model: Any) -> None:
    before = torch.get_rng_state()
    with noisy_weights(model, SCHEDULE, step=50, total_steps=100):
        pass
    assert torch.equal(torch.get_rng_state(), before)


def test_in_the_first_stage_nothing_is_noisy_and_the_state_says_so(model: Any) -> None:
    before = fingerprint(model.state_dict())
    state = add_noise(model, SCHEDULE, step=3, total_steps=100)
    assert (state["active"], state["schedule"], state["step"]) == (False, "test", 3)
    assert fingerprint(model.state_dict()) == before


def test_in_an_evaluation_noise_is_off_and_afterwards_the_same_as_before(model: Any) -> None:
    clean = fingerprint(model.state_dict())
    add_noise(model, SCHEDULE, step=50, total_steps=100)
    noisy = fingerprint(model.state_dict())
    with noise_off(model):
        assert fingerprint(model.state_dict()) == clean and noise_state(model) == SILENT
    assert fingerprint(model.state_dict()) == noisy and noise_state(model)["active"]


def test_weights_synced_while_noise_was_on_are_kept_and_told(model: Any) -> None:
    add_noise(model, SCHEDULE, step=50, total_steps=100)
    model.norm.weight.data.fill_(2.0)
    with pytest.raises(WeightsError, match="norm changed while noise was on it"):
        remove_noise(model)
    assert model.norm.weight.eq(2.0).all() and noise_state(model) == SILENT
    assert model.inner.norm.weight.eq(1.0).all()


def test_noise_on_noise_is_refused(model: Any) -> None:
    add_noise(model, SCHEDULE, step=50, total_steps=100)
    with pytest.raises(NoiseError, match="on this model already"):
        add_noise(model, SCHEDULE, step=51, total_steps=100)


def test_layers_and_factors_choose_by_name(model: Any) -> None:
    schedule = NoiseSchedule("a", sigma_start=0.5, sigma_end=0.1, stages=4, layers=("norm",), factors={"inner.norm": 0})
    assert add_noise(model, schedule, step=25, total_steps=100)["layers"] == {"norm": 0.5}


def test_what_can_not_be_is_refused_and_changes_nothing(model: Any) -> None:
    before = fingerprint(model.state_dict())
    for schedule, words in (
        (NoiseSchedule("a", schedule="variable_rin"), "by its name only"),
        (NoiseSchedule("a", layers=("attention",)), "finds no layer"),
    ):
        with pytest.raises(NoiseError, match=words):
            add_noise(model, schedule, step=50, total_steps=100)
    assert fingerprint(model.state_dict()) == before and noise_state(model) == SILENT


def test_a_model_that_is_gone_is_forgotten() -> None:
    from quant import noise

    gc.collect()
    before = len(noise._ON)
    model = nn.ModuleDict({"norm": nn.RMSNorm(8)})
    add_noise(model, SCHEDULE, step=50, total_steps=100)
    del model
    gc.collect()
    assert len(noise._ON) == before


def test_noise_left_on_is_attested_and_refused_and_inside_noise_off_it_is_not() -> None:
    from quant import attestation
    from quant.layers import apply_recipe
    from quant.recipe import Recipe
    from quant.verification import refusals

    model = nn.Sequential(nn.RMSNorm(32), nn.Linear(32, 16))
    recipe = Recipe("test")
    apply_recipe(model, recipe)
    add_noise(model, SCHEDULE, step=50, total_steps=100)

    def judged() -> tuple[str, ...]:
        opening = attestation.begin(model, recipe)
        with torch.no_grad():
            model(torch.ones(2, 32))
        document = attestation.close(model, opening, checkpoint_fingerprint=fingerprint(model.state_dict()))
        words = {"checkpoint_fingerprint": fingerprint(model.state_dict()), "start_fingerprint": None}
        return refusals(document, recipe=recipe.to_dict(), **words)

    assert judged() == ("noise was on during the evaluation",)
    with noise_off(model):
        assert judged() == ()
