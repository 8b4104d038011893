"""How a rerun scores a checkpoint of the demo: with the very generation function of the run's rollout server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.demo import arithmetic
from quant.evaluation import EvaluationEngine, Generation, Sample

if TYPE_CHECKING:
    from monitor.demo.tiny_model import TinyTransformer


class DemoEngine:
    """`quant.evaluation.EvaluationEngine` for the tiny model and its task."""

    name = "demo"
    batch_rows = arithmetic.BATCH_ROWS

    def load(self, checkpoint: Path, dtype: str) -> TinyTransformer:
        """The unquantized model of a checkpoint or of a start model's folder."""
        import torch

        from monitor.demo import checkpoints

        return checkpoints.load(checkpoint).to(getattr(torch, dtype))

    def read_samples(self, path: Path) -> list[Sample]:
        """The validation set, in its order."""
        return [
            Sample(problem.uid, problem.prompt, problem.ground_truth)
            for problem in arithmetic.read_validation_set(path)
        ]

    def generate(self, module: Any, samples: list[Sample]) -> list[Generation]:
        """Greedy, in the fixed padded batch."""
        from monitor.demo.generation import Row, generate_batch

        rows = [Row(arithmetic.encode(sample.input)) for sample in samples]
        generate_batch(module, rows)
        return [Generation(arithmetic.decode(row.tokens), row.log_probability, len(row.tokens)) for row in rows]

    def score(self, sample: Sample, generation: Generation) -> float:
        """By rule."""
        return arithmetic.score(generation.output, sample.ground_truth)


ENGINE: EvaluationEngine = DemoEngine()
