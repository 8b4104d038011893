"""Noise on a model's weights during rollouts, and off again: the clean weights come back bit for bit.

Covers adding, taking away, and what is on now (`noise_state`), which an attestation reads. Does not cover how large the
noise is (`quant.noise_schedule`), nor sharded weights: noise belongs where the weights are whole, in the engine.

As in QeRL: normal noise drawn in float32, taken to the weight's type and added in it. Unlike QeRL, it follows from
(seed, step, layer) alone, whatever was drawn before, and RMSNorms are found by their class's name, so that an engine's
own classes count too (QeRL's test for the Hugging Face classes finds none in a vLLM model, and adds nothing there).
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from quant.documents import names
from quant.errors import NoiseError, WeightsError
from quant.fitness import is_sharded
from quant.noise_schedule import NoiseSchedule

NORM_CLASS = "RMSNorm"
"""What the name of a class ends with whose weight gets noise where the schedule names no layers."""


@dataclass(frozen=True)
class _Noise:
    """What is on a model now."""

    schedule: NoiseSchedule
    step: int
    total_steps: int
    sigmas: dict[str, float]
    clean: dict[str, Any]
    """The weights without it, on their own device."""


_ON: weakref.WeakKeyDictionary[Any, _Noise] = weakref.WeakKeyDictionary()


def noise_state(model: Any) -> dict[str, Any]:
    """What noise is on the model now, as plain JSON values.

    `active`: whether any weight is noisy. `sigma`: the largest, 0.0 without. `layers`: each noisy layer's sigma. With
    noise added, at sigma 0 too: `schedule` (its name), `step` and `total_steps`; else None.
    """
    noise = _ON.get(model)
    layers = {name: sigma for name, sigma in noise.sigmas.items() if sigma > 0} if noise else {}
    return {
        "active": bool(layers),
        "sigma": max(layers.values(), default=0.0),
        "layers": layers,
        "schedule": noise.schedule.name if noise else None,
        "step": noise.step if noise else None,
        "total_steps": noise.total_steps if noise else None,
    }


def add_noise(model: Any, schedule: NoiseSchedule, *, step: int, total_steps: int) -> dict[str, Any]:
    """Adds the noise of this step to the weights; returns `noise_state`. Call it after each weight sync.

    Raises `NoiseError` and changes nothing where noise is on, no layer is meant, or a sigma isn't known.
    """
    if model in _ON:
        raise NoiseError("noise is on this model already", "call `remove_noise` before the next sync")
    targets = noise_targets(model, schedule)
    sigmas = {name: schedule.sigma(step, total_steps, name) for name in targets}
    with torch.no_grad():
        clean = {name: weight.detach().clone() for name, weight in targets.items() if sigmas[name] > 0}
        for name in clean:
            targets[name].add_(layer_noise(targets[name], schedule.seed, step, name, sigmas[name]))
    _ON[model] = _Noise(schedule, step, total_steps, sigmas, clean)
    return noise_state(model)


def remove_noise(model: Any) -> None:
    """Brings the clean weights back, bit for bit. Nothing to do is no error.

    Raises `WeightsError` where a weight is no longer the noisy one, as after a sync: it is then left as it is.
    """
    noise = _ON.pop(model, None)
    if noise is None:
        return
    targets = noise_targets(model, noise.schedule)
    changed = []
    with torch.no_grad():
        for name, clean in noise.clean.items():
            drawn = layer_noise(clean, noise.schedule.seed, noise.step, name, noise.sigmas[name])
            if torch.equal(targets[name], clean + drawn):
                targets[name].copy_(clean)
            else:
                changed.append(name)
    if changed:
        raise WeightsError(
            f"the weight of {changed[0]} changed while noise was on it ({len(changed)} layers in all)",
            "call `remove_noise` before weights are synced or trained",
        )


@contextmanager
def noisy_weights(model: Any, schedule: NoiseSchedule, *, step: int, total_steps: int) -> Iterator[dict[str, Any]]:
    """Noise for a rollout, off again at the end whatever happens inside. Gives `noise_state`."""
    state = add_noise(model, schedule, step=step, total_steps=total_steps)
    try:
        yield state
    finally:
        remove_noise(model)


@contextmanager
def noise_off(model: Any) -> Iterator[None]:
    """For an evaluation: the clean weights inside, the same noise as before afterwards."""
    noise = _ON.get(model)
    remove_noise(model)
    try:
        yield
    finally:
        if noise is not None:
            add_noise(model, noise.schedule, step=noise.step, total_steps=noise.total_steps)


def noise_targets(model: Any, schedule: NoiseSchedule) -> dict[str, Any]:
    """The weights that get noise, by the names of their modules. Raises `NoiseError` where there are none."""
    found = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        meant = names(schedule.layers, name) if schedule.layers else type(module).__name__.endswith(NORM_CLASS)
        if meant and isinstance(weight, torch.Tensor) and weight.is_floating_point():
            found[name] = weight
    if not found:
        raise NoiseError(f"noise `{schedule.name}` finds no layer in this model", "check its `layers`")
    sharded = next((name for name, weight in found.items() if is_sharded(weight)), None)
    if sharded is not None:
        raise NoiseError(f"the weight of `{sharded}` is sharded", "add noise in the engine, where weights are whole")
    return found


def layer_noise(weight: Any, seed: int, step: int, layer: str, sigma: float) -> Any:
    """The noise in the weight's shape, type and device: drawn in float32 on the CPU, the same on every device."""
    digest = hashlib.sha256(f"{seed}/{step}/{layer}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    drawn = torch.normal(0.0, sigma, tuple(weight.shape), generator=generator, dtype=torch.float32)
    return drawn.to(weight.device).to(weight.dtype)
