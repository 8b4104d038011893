"""Noise schedules: how large the noise on each layer's weight is at each step of training.

Covers the record, its YAML and sigma. Does not cover adding noise to a model (`quant.noise`). Imports no torch.

`qerl` is QeRL's adaptive quantization noise as its code computes it (`get_sigma_by_step` in
trl_trainer/noise_scheduler.py and its call in grpo_trainer.py of NVlabs/QeRL; arXiv 2510.11696), which the paper's
formula leaves open: training is cut into `stages` equal parts; sigma is 0 in the first, and in part i (from 1)
`sigma_start * (sigma_end / sigma_start) ** ((i - 1) / (stages - 2))`.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quant import documents
from quant.errors import NoiseError

QERL = "qerl"


@dataclass(frozen=True)
class NoiseSchedule:
    """One schedule. Raises `NoiseError` where it could never be computed.

    A `schedule` that is neither `qerl` nor an import path is an opaque name: it is kept and recorded, so that a run
    trained with it can be told from one without, but its sigma is not known here and never guessed.
    """

    name: str
    schedule: str = QERL
    sigma_start: float = 0.01
    sigma_end: float = 0.0001
    stages: int = 10
    seed: int = 0
    layers: tuple[str, ...] = ()
    """Modules whose weight gets noise: parts or patterns of dotted names. None: every RMSNorm."""
    factors: Mapping[str, float] = field(default_factory=dict)
    """Per layer: part or pattern of the dotted name, and what sigma is multiplied with. The first that fits counts."""

    def __post_init__(self) -> None:
        if self.stages < 3:
            raise NoiseError(f"noise `{self.name}`: stages is {self.stages}", "3 or more: one of them is without noise")
        for key in ("sigma_start", "sigma_end"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise NoiseError(f"noise `{self.name}`: {key} is {value}", "a number above 0")
        for pattern, factor in self.factors.items():
            if not (math.isfinite(factor) and factor >= 0):
                raise NoiseError(f"noise `{self.name}`: the factor of `{pattern}` is {factor}", "a number from 0 on")

    @property
    def is_opaque(self) -> bool:
        """Whether only the schedule's name is known."""
        return self.schedule != QERL and ":" not in self.schedule

    def sigma(self, step: int, total_steps: int, layer: str = "") -> float:
        """The noise's standard deviation on this layer's weight at `step` of `total_steps`. Raises `NoiseError`."""
        if self.is_opaque:
            raise NoiseError(
                f"the noise schedule `{self.schedule}` is known by its name only",
                "name its function as package.module:function (step, total_steps, layer) -> sigma",
            )
        if total_steps < 1 or step < 0:
            raise NoiseError(f"there is no step {step} of {total_steps}", "steps count from 0 to the total")
        base = self._qerl(step, total_steps) if self.schedule == QERL else self._own(step, total_steps, layer)
        return base * self._factor(layer)

    def _qerl(self, step: int, total_steps: int) -> float:
        part = int(min(step, total_steps) // (total_steps / self.stages))
        if part == 0:
            return 0.0
        exponent = min(part - 1, self.stages - 2) / (self.stages - 2)
        return self.sigma_start * (self.sigma_end / self.sigma_start) ** exponent

    def _own(self, step: int, total_steps: int, layer: str) -> float:
        module_name, _, attribute = self.schedule.partition(":")
        try:
            value = float(getattr(importlib.import_module(module_name), attribute)(step, total_steps, layer))
        except Exception as error:  # The function may be anyone's, and may fail in any way.
            raise NoiseError(
                f"the noise schedule `{self.schedule}` failed: {type(error).__name__}: {error}", "mend the function"
            ) from error
        if not (math.isfinite(value) and value >= 0):
            raise NoiseError(f"the noise schedule `{self.schedule}` gave {value}", "a number from 0 on")
        return value

    def _factor(self, layer: str) -> float:
        return next((float(each) for pattern, each in self.factors.items() if documents.names((pattern,), layer)), 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives an equal schedule."""
        return {**dataclasses.asdict(self), "layers": list(self.layers), "factors": dict(self.factors)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> NoiseSchedule:
        """Raises `NoiseError` for an unknown or missing key, or a value of the wrong kind."""
        documents.check_keys(document, [each.name for each in dataclasses.fields(cls)], "noise", NoiseError)
        return cls(**{key: _checked(key, value) for key, value in document.items()})


def _checked(key: str, value: Any) -> Any:
    """The value in the field's own type."""
    if key == "layers":
        if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
            raise NoiseError("noise: layers is not a list of names", "layers: [input_layernorm]")
        return tuple(value)
    if key == "factors":
        if not isinstance(value, dict) or not all(_is_number(each) for each in value.values()):
            raise NoiseError("noise: factors is not names with numbers", "factors: {model.norm: 0.5}")
        return {str(pattern): float(factor) for pattern, factor in value.items()}
    if key in ("sigma_start", "sigma_end"):
        if not _is_number(value):
            raise NoiseError(f"noise: {key} is `{value}`, not a number", "YAML reads 1e-2 as a word: write 0.01")
        return float(value)
    kind: type = int if key in ("stages", "seed") else str
    if type(value) is not kind:
        raise NoiseError(f"noise: {key} is `{value}`, not a {kind.__name__}", "see configs/noise for the form")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def known_schedules() -> tuple[str, ...]:
    """Names that `load_noise` takes."""
    return documents.shipped("noise")


def load_noise(name_or_path: str | Path) -> NoiseSchedule:
    """The schedule of this name in configs/noise, or in a YAML file of one's own. Raises `NoiseError`."""
    return NoiseSchedule.from_dict(documents.load(name_or_path, "noise", "noise schedule", NoiseError))
