"""Final scores of real verl runs that are wrong, each made wrong for real, and what `laststep run` says of each.

    python -m benchmarks.wrong_evaluations [CASE,…] [--keep FOLDER]

Each case is one start of verl 0.9.1 on vLLM (CPU), with the hooks, under `laststep run`; `val-only` and
`resumed-at-the-end` start from a checkpoint that the case `well` leaves, which is also what must stand. Prints a JSON
document: the command's exit code (12: the final score doesn't stand), what it said, and the standings in the ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "examples" / "verl_cpu" / "run.py"
PATCHES = "benchmarks.wrong_evaluation_patches"
STEPS = 2
SECONDS = 900
STANDS, DOES_NOT_STAND = 0, 12


@dataclass(frozen=True)
class Case:
    """One wrong evaluation. `{checkpoint}` in an override: the last step's of the case `well`."""

    trainer: str
    said: str
    """What stands in the command's words where it is named."""
    exit_code: int = DOES_NOT_STAND
    overrides: tuple[str, ...] = ()
    patch: str | None = None
    """The module of `wrong_evaluation_patches` that verl imports."""
    steps: int = STEPS


WORKER = "+actor_rollout_ref.rollout.engine_kwargs.vllm.worker_extension_cls="
ATTESTED = f"{WORKER}quant.vllm.verl_worker.AttestedColocateWorker"
RECIPE = (
    "{name:mxfp4_w4a4,format:mxfp4,scale_rule:even,block_size:32,quantize_weights:true,quantize_activations:true,"
    "exclude:[lm_head],dtype:bfloat16}"
)
TRAINED = f"+quantization={RECIPE}"
"""What the run says it is trained with. The trainer here rounds nothing: how the engine scored is what is asked."""
QUANTIZED = (
    "+actor_rollout_ref.rollout.engine_kwargs.vllm.hf_overrides="
    f"{{quantization_config:{{quant_method:laststep_mxfp4,recipe:{RECIPE}}}}}"
)
RESUMED = ("trainer.resume_mode=resume_path", "trainer.resume_from_path={checkpoint}")
VAL_ONLY = (*RESUMED, "trainer.val_only=True")
CASES = {
    "well": Case("legacy", "the final score stands", STANDS, (ATTESTED,)),
    "skipped": Case("legacy", "missing-final", patch="skips_in_legacy"),
    "skipped-elsewhere": Case("legacy", "the final score stands", STANDS, patch="skips_in_v1"),
    "skipped-v1": Case("v1", "missing-final", patch="skips_in_v1"),
    "val-only": Case("legacy", "stale-weights", overrides=(*VAL_ONLY, ATTESTED), patch="never_syncs"),
    "fewer-rows": Case("v1", "rows", patch="loses_a_sample"),
    "noise": Case("legacy", "noise of sigma", overrides=(f"{WORKER}{PATCHES}.noisy_worker.AttestedColocateWorker",)),
    "in-bf16": Case("legacy", "not-quantized", overrides=(ATTESTED, TRAINED)),
    "in-mxfp4": Case(
        "legacy",
        "mxfp4_w4a4 attested in",
        STANDS,
        (ATTESTED, TRAINED, QUANTIZED),
    ),
    "resumed-at-the-end": Case("legacy", "missing-final", overrides=(*RESUMED, "trainer.val_before_train=False")),
    "epochs-end": Case("legacy", "missing-final", overrides=("data.train_max_samples=8",), steps=6),
    "test-freq": Case("v1", "test_freq", overrides=("trainer.test_freq=-1",)),
}


def start(case: Case, folder: Path, checkpoint: Path) -> dict[str, Any]:
    """The case, to its end."""
    modules = f"{PATCHES}.{case.patch}," if case.patch else ""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
        "VERL_USE_EXTERNAL_MODULES": f"{modules}trainer_hooks.frameworks.verl",
    }
    words = [sys.executable, "-m", "monitor.cli", "run", "--"]
    words += [sys.executable, str(RUN), case.trainer, "--out", str(folder / "run"), "--steps", str(case.steps), "--"]
    words += [override.replace("{checkpoint}", str(checkpoint)) for override in case.overrides]
    began = time.monotonic()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    said = [line for line in done.stderr.splitlines() if line.startswith("laststep")]
    return {
        "exit_code": done.returncode,
        "as_expected": done.returncode == case.exit_code and any(case.said in line for line in said),
        "said": said,
        "scores": _scores(environment),
        "seconds": round(time.monotonic() - began, 1),
    }


def _scores(environment: dict[str, str]) -> list[str]:
    words = [sys.executable, "-m", "monitor.cli", "scores", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    runs = json.loads(done.stdout or "{}").get("runs", [])
    return [f"step {score['step']}: {score['value']} {score['standing']}" for run in runs for score in run["scores"]]


def main() -> int:
    """The cases asked for, in order; 1 where one was not as expected."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="?", default=",".join(CASES))
    parser.add_argument("--keep", type=Path, help="folder that keeps what the cases wrote")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="lsw", dir="/tmp"))
    results = {}
    checkpoint = (given.keep or place) / "well" / "run" / "checkpoints" / f"global_step_{STEPS}"
    for name in given.cases.split(","):
        folder = place / name
        folder.mkdir()
        results[name] = start(CASES[name], folder, checkpoint)
        print(f"{name}: {json.dumps(results[name])}", file=sys.stderr, flush=True)
        if given.keep:
            kept = given.keep / name
            shutil.copytree(folder, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(place, ignore_errors=True)
    print(json.dumps(results, indent=1))
    return int(not all(result["as_expected"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
