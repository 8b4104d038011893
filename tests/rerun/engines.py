"""Evaluation engines for tests, around a network of two linear layers: a sound one, and ones that fail in one way each.

They are named by import path in a plan, as a trainer's own engine is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quant.checkpoint import read_weights
from quant.errors import EvaluationError
from quant.evaluation import Generation, Sample

WIDTH = 32
HERE = "tests.rerun.engines"


class SmallEngine:
    """Answers each sample with the index of the largest output for its vector."""

    name = "small"
    batch_rows = 8

    def load(self, checkpoint: Path, dtype: str) -> Any:
        """The network with the weights of a checkpoint or start model."""
        module = small_network()
        module.load_state_dict(read_weights(checkpoint))
        return module.to(getattr(torch, dtype))

    def read_samples(self, path: Path) -> list[Sample]:
        """One sample a line: the line is the seed of its vector."""
        lines = [line for line in path.read_text().splitlines() if line]
        return [Sample(f"s{index}", line, int(line) % 2) for index, line in enumerate(lines)]

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Deterministic, in a batch of `batch_rows` rows."""
        inputs = torch.zeros(self.batch_rows, WIDTH)
        for row, sample in enumerate(samples):
            inputs[row] = torch.rand(WIDTH, generator=torch.Generator().manual_seed(int(sample.input)))
        outputs = module(inputs.to(module[0].weight.dtype)).float().log_softmax(-1)
        best = outputs.max(-1)
        return [Generation(str(int(best.indices[row])), float(best.values[row]), 1) for row in range(len(samples))]

    def score(self, sample: Sample, generation: Generation) -> float:
        """1 where the answer has the parity of the seed."""
        return float(int(generation.output) % 2 == sample.ground_truth)


class SlowEngine(SmallEngine):
    """Takes its time for each batch, so that a test can act in the middle."""

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """As the sound engine, later."""
        time.sleep(6.0)
        return super().generate(module, samples)


class DyingEngine(SmallEngine):
    """Its process dies in the middle."""

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Not at all."""
        os._exit(3)


class RaisingEngine(SmallEngine):
    """Scoring raises on one sample."""

    def score(self, sample: Sample, generation: Generation) -> float:
        """Raises on the fourth sample."""
        if sample.uid == "s3":
            raise KeyError("answer")
        return super().score(sample, generation)


class ForgetfulEngine(SmallEngine):
    """Loads weights of its own instead of the checkpoint's."""

    def load(self, checkpoint: Path, dtype: str) -> Any:
        """Fresh weights."""
        return small_network(seed=5).to(getattr(torch, dtype))


class SwitchedOffEngine(SmallEngine):
    """Its products go around the quantized layers."""

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Through a copy of the network that is not quantized."""
        plain = small_network()
        plain.load_state_dict(module.state_dict())
        return super().generate(plain, samples)


class MissingSetEngine(SmallEngine):
    """Finds no sample."""

    def read_samples(self, path: Path) -> list[Sample]:
        """Raises the error of an engine."""
        raise EvaluationError("the validation set has no column `prompt`", "name the column")


class StingyEngine(SmallEngine):
    """Another reward than the training's: no answer is right."""

    def score(self, sample: Sample, generation: Generation) -> float:
        """Nothing."""
        return 0.0


def small_network(seed: int = 1) -> Any:
    """Two linear layers with weights drawn from a seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False), nn.GELU(), nn.Linear(WIDTH, WIDTH, bias=False))


ENGINE = SmallEngine()
SLOW = SlowEngine()
DYING = DyingEngine()
RAISING = RaisingEngine()
FORGETFUL = ForgetfulEngine()
SWITCHED_OFF = SwitchedOffEngine()
STINGY = StingyEngine()
MISSING_SET = MissingSetEngine()
