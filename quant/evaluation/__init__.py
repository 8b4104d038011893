"""Scores a checkpoint on a validation set, with the quantization it was trained with, and attests to it.

The public door: engines `vllm` and `transformers`, or one's own by import path; greedy or sampled; resumable; a dump
like verl's; a confidence interval with the score. `python -m quant.evaluation --help`. Covers no judgement of the
attestation (`quant.verification`), and not where it runs. Importing it imports no torch.
"""

from quant.evaluation.engines import (
    EvaluationEngine,
    HostedEngine,
    HostedModel,
    SamplingEngine,
    load_engine,
)
from quant.evaluation.records import (
    EvaluationRequest,
    EvaluationResult,
    Generation,
    Sample,
    Sampling,
)
from quant.evaluation.run import evaluate

__all__ = [
    "EvaluationEngine",
    "EvaluationRequest",
    "EvaluationResult",
    "Generation",
    "HostedEngine",
    "HostedModel",
    "Sample",
    "Sampling",
    "SamplingEngine",
    "evaluate",
    "load_engine",
]
