"""What an attestation costs, and how often an honest one is refused: `python -m benchmarks.attestation_cost`.

`--engine layers`: a transformer-like stack of `quant.layers`, one recipe after the other. `--engine vllm` (in the
environment of `make test-vllm`): one engine, new weights synced before each run. Cost: seconds to open and close as a
share of the whole evaluation in between; both scale with the model, the evaluation with its tokens too.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS = 1024
"""Rows of the evaluation whose cost is compared, of `TOKENS` each: about a sixth of GSM8K's test set."""
TOKENS = 64
WIDTH, LAYERS = 256, 4


@dataclasses.dataclass(frozen=True)
class Run:
    """One attested evaluation."""

    refusals: tuple[str, ...]
    attesting_seconds: float
    evaluating_seconds: float


def recipes() -> Iterator[Any]:
    """Every kind, rule and type, in a fixed but mixed order."""
    from quant.formats import mxfp4
    from quant.recipe import Recipe

    kinds = list(itertools.product([(True, True), (True, False), (False, True)], mxfp4.RULES, ["float32", "bfloat16"]))
    random.Random(3).shuffle(kinds)
    for (weights, activations), rule, dtype in itertools.cycle(kinds):
        yield Recipe("a", scale_rule=rule, quantize_weights=weights, quantize_activations=activations, dtype=dtype)


def of_layers(runs: int, batches: int) -> Iterator[Run]:
    """With `quant.layers`; the model anew for each run."""
    import torch
    from torch import nn

    from quant import attestation
    from quant.fingerprint import fingerprint
    from quant.layers import apply_recipe, frozen_weights
    from quant.verification import refusals

    torch.set_num_threads(1)  # Two threads that share a busy machine mostly wait for each other.
    for seed, recipe in zip(range(runs), recipes()):
        torch.manual_seed(seed)
        kind = getattr(torch, recipe.dtype)
        layers = [each for _ in range(LAYERS) for each in (nn.Linear(WIDTH, WIDTH), nn.GELU())]
        model = nn.Sequential(*layers).to(kind)
        wanted = fingerprint(model.state_dict())
        apply_recipe(model, recipe)
        inputs = torch.randn(TOKENS, WIDTH).to(kind)
        with torch.no_grad():
            first = time.perf_counter()
            opening = attestation.begin(model, recipe)
            second = time.perf_counter()
            with frozen_weights(model):
                for _ in range(batches):
                    model(inputs)
            third = time.perf_counter()
            document = attestation.close(model, opening)
            fourth = time.perf_counter()
        found = refusals(document, recipe=recipe.to_dict(), checkpoint_fingerprint=wanted, start_fingerprint=None)
        yield Run(found, second - first + fourth - third, third - second)


def of_vllm(runs: int, rows: int) -> Iterator[Run]:
    """With vLLM, W4A4 in float32; two checkpoints by turns."""
    from vllm import SamplingParams

    from examples.tiny_model import make
    from quant.fingerprint import fingerprint_checkpoint
    from quant.verification import refusals
    from tests.real.scenarios import MXFP4, Engine

    with tempfile.TemporaryDirectory() as folder:
        checkpoints = [Path(folder) / name for name in ("first", "second")]
        for seed, checkpoint in enumerate(checkpoints):
            make(checkpoint, seed=seed)
        engine = Engine(checkpoints[0], quantization="laststep_mxfp4", recipe=MXFP4.to_dict())
        asked = SamplingParams(temperature=0, max_tokens=TOKENS, ignore_eos=True)
        for number in range(runs):
            checkpoint = checkpoints[number % 2]
            engine.sync(checkpoint)
            first = time.perf_counter()
            engine.llm.collective_rpc("laststep_begin", args=(engine.recipe,))
            second = time.perf_counter()
            engine.llm.generate(["3 + 4 = "] * rows, asked, use_tqdm=False)
            third = time.perf_counter()
            (document,) = engine.llm.collective_rpc("laststep_close", kwargs={"facts": {"tokens": rows * TOKENS}})
            fourth = time.perf_counter()
            wanted = fingerprint_checkpoint(checkpoint, dtype="float32")
            words = {"recipe": engine.recipe, "checkpoint_fingerprint": wanted, "start_fingerprint": None}
            yield Run(refusals(document, **words), second - first + fourth - third, third - second)


def main() -> None:
    """Many short runs for the refusals, one long one for the cost; one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=["layers", "vllm"], default="layers")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--rows", type=int, default=ROWS, help="of the long evaluation")
    words = parser.parse_args()
    play = of_layers if words.engine == "layers" else of_vllm
    short = list(play(words.runs, 2))
    (long,) = play(1, words.rows)
    whole = long.attesting_seconds + long.evaluating_seconds
    document = {
        "engine": words.engine,
        "honest_runs": len(short),
        "refused": sum(bool(run.refusals) for run in short),
        "reasons": sorted({reason for run in short for reason in run.refusals}),
        "rows": words.rows,
        "tokens_a_row": TOKENS,
        "attesting_seconds": round(long.attesting_seconds, 3),
        "evaluating_seconds": round(long.evaluating_seconds, 3),
        "attesting_share": round(long.attesting_seconds / whole, 5),
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
