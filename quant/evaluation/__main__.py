"""`python -m quant.evaluation CHECKPOINT VALIDATION_FILE --engine vllm --recipe mxfp4_w4a4 --out FOLDER`.

Prints one JSON document; progress goes to stderr. Exit 0: scored and the attestation accepted, 12: scored but refused,
2: it can't be done as asked. The attestation and the dump are in the folder. Stopped in the midst, it goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from quant.errors import QuantError
from quant.evaluation import EvaluationRequest, Sampling, evaluate, load_engine
from quant.recipe import load_recipe
from quant.verification import refusals

USAGE, REFUSED = 2, 12


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m quant.evaluation", description="Score a checkpoint, with proof.")
    made.add_argument("checkpoint", type=Path, help="a Hugging Face folder, or verl's global_step_N")
    made.add_argument("validation_file", type=Path, help="JSON lines, or verl's parquet")
    made.add_argument("--engine", default="vllm", help="vllm, transformers (with ?option=value), or module:attribute")
    made.add_argument("--recipe", default="mxfp4_w4a4", help="a name in configs/quant, a YAML file, or `none`")
    made.add_argument("--out", type=Path, required=True, help="folder for the dump and the attestation")
    made.add_argument("--start-model", type=Path, help="refuse its weights: those training began with")
    made.add_argument("--step", type=int, default=0)
    made.add_argument("--metric", default="reward")
    made.add_argument("--temperature", type=float, default=0.0)
    made.add_argument("--top-p", type=float, default=1.0)
    made.add_argument("--n", type=int, default=1, help="generations a row")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--max-tokens", type=int, default=1024)
    made.add_argument("--segment-rows", type=int, default=4096, help="generations after which a stop loses nothing")
    return made


def request_of(words: argparse.Namespace) -> EvaluationRequest:
    """What was asked for. Raises `QuantError`."""
    return EvaluationRequest(
        checkpoint=words.checkpoint,
        start_model=words.start_model,
        validation_file=words.validation_file,
        recipe=None if words.recipe == "none" else load_recipe(words.recipe),
        step=words.step,
        dump_path=words.out / f"{words.step}.jsonl",
        metric=words.metric,
        sampling=Sampling(words.temperature, words.top_p, words.n, words.seed, words.max_tokens),
        segment_rows=words.segment_rows,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate, verify, print."""
    words = parser().parse_args(arguments)
    try:
        request = request_of(words)
        result = evaluate(load_engine(words.engine), request, _progress)
        (words.out / "attestation.json").write_text(json.dumps(result.attestation, indent=1), encoding="utf-8")
    except QuantError as error:
        print(f"{error}: {error.HELP_TEXT}" if error.HELP_TEXT else str(error), file=sys.stderr)
        return USAGE
    reasons = refusals(
        result.attestation,
        recipe=request.recipe.to_dict() if request.recipe is not None else None,
        checkpoint_fingerprint=result.attestation["checkpoint_fingerprint_stored"],
        start_fingerprint=result.attestation["start_fingerprint_stored"],
    )
    shown = {key: value for key, value in dataclasses.asdict(result).items() if key != "attestation"}
    document = {"schema": 1, **shown, "dump_path": str(result.dump_path), "refusals": list(reasons)}
    print(json.dumps(document, indent=1))
    return REFUSED if reasons else 0


def _progress(done: int, total: int) -> None:
    print(f"{done}/{total} generations", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
