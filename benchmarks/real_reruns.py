"""Real verl 0.9.1 runs whose final score is missing, and their reruns with real vLLM on a CPU. `make bench-real`.

    python -m benchmarks.real_reruns legacy,v1,lora,legacy-bf16,two-scores [--keep FOLDER]

`legacy`, `v1`, `lora`: a run whose engine computes in MXFP4 W4A4, hung in its final validation (vLLM's worker
stopped). It is scored by `laststep rerun FOLDER` while it hangs; then the worker is let go, and what the run writes
itself is compared. `…-bf16`: the same unquantized. `two-scores`: a run of 80 steps, W4A4 in training and in its
engine, that ends without a final validation; its checkpoint is scored in W4A4 and in BF16. `by-verl --of FOLDER`: the
run in FOLDER scored by verl's own `val_only` start, whose engine attests the weights that it received.

Told of each rerun: exit code, standing, attested layers, whose weights were received, whether what lay in the engine is
what the formats make of the checkpoint (computed here anew), which files of the run's folder changed. One JSON document
on stdout. A start of verl takes 3 minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.real_verl import ROOT, SLOW, START_SECONDS, STEPS, RealRun, engine_worker, final_validation, real_run
from monitor.model.json_form import to_json

PYTHON = ROOT / ".venv-real" / "bin" / "python"
RERUN_SECONDS = 400.0
KWARGS = "actor_rollout_ref.rollout.engine_kwargs.vllm"
RECIPE = "mxfp4_w4a4"
LONG = 80
TO_CONVERGENCE = (
    "trainer.test_freq=-1",
    f"trainer.save_freq={LONG}",
    "trainer.total_epochs=40",
    "trainer.rollout_data_dir=null",
    "actor_rollout_ref.model.external_lib=examples.verl_cpu.quantized_engine",
    "++actor_rollout_ref.actor.fsdp_config.mixed_precision={param_dtype:fp32,reduce_dtype:fp32,buffer_dtype:fp32}",
    "actor_rollout_ref.actor.optim.lr=1e-4",
    "actor_rollout_ref.rollout.n=4",
)
LORA = (
    "actor_rollout_ref.model.lora_rank=8",
    "actor_rollout_ref.model.lora_alpha=16",
    "actor_rollout_ref.model.target_modules=all-linear",
    "++actor_rollout_ref.model.lora.merge=True",
)


def quantized(dtype: str | None = None) -> tuple[str, ...]:
    """The engine's overrides for the recipe, in full, so that the run records it."""
    from monitor.rerun.verl_overrides import hydra_value
    from quant.recipe import load_recipe

    recipe = load_recipe(RECIPE)
    recipe = dataclasses.replace(recipe, dtype=dtype or recipe.dtype)
    method = f"laststep_{recipe.format}"
    config = hydra_value({"quant_method": method, "recipe": recipe.to_dict()})
    return (
        f"actor_rollout_ref.rollout.dtype={recipe.dtype}",
        f"++{KWARGS}.quantization={method}",
        f"++{KWARGS}.hf_overrides.quantization_config={config}",
    )


def tree(folder: Path) -> dict[str, str]:
    """Each file's sha256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> list[dict[str, Any]]:
    """A dump's rows; none where there is no dump."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def asked(row: dict[str, Any]) -> str:
    """A row's prompt; verl dumps it without the chat template's special tokens."""
    return str(row["input"]).replace("<|im_start|>", "").replace("<|im_end|>", "")


def rerun(folder: Path, named: str, *words: str) -> dict[str, Any]:
    """One `laststep rerun`, and what it proved."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")}
    environment.update(LASTSTEP_DIR=str(folder / "hooks"))
    began = time.monotonic()
    call = [sys.executable, "-m", "monitor.cli", "rerun", named, "--python", str(PYTHON), "--json", *words]
    planned = subprocess.run(
        [*call, "--dry-run"], capture_output=True, text=True, env=environment, timeout=RERUN_SECONDS
    )
    plan = json.loads(planned.stdout)["plan"] if planned.stdout else {"run": ""}
    done = subprocess.run(
        [*call, "--confirm", plan["run"]], capture_output=True, text=True, env=environment, timeout=RERUN_SECONDS
    )
    document = json.loads(done.stdout) if done.stdout else {}
    told = {"exit_code": done.returncode, "seconds": round(time.monotonic() - began, 1), "said": done.stderr[-1500:]}
    score = document.get("score")
    return {**told, **(_proofs(score, document["plan"]) if score else {"status": document.get("status")})}


def _proofs(score: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    proof = score["provenance"]["attestation"]
    return {
        "run": plan["run"],
        "dump": score["provenance"]["dump_path"],
        "step": plan["step"],
        "value": score["value"],
        "standing": score["standing"],
        "reasons": score["reasons"],
        "rows": f"{score['provenance']['rows']} of {score['provenance']['rows_expected']}",
        "layers": f"{proof['active_layers']} of {proof['expected_layers']}",
        "calls": proof["calls"],
        "received_is_the_checkpoints": proof["fingerprint_begin"]
        == proof["fingerprint_end"]
        == proof["checkpoint_fingerprint"],
        "received_is_the_start_models": proof["fingerprint_begin"] == proof["start_fingerprint"],
        "resident_is_the_quantized_checkpoints": _resident_expected(plan["checkpoint"], plan["recipe"])
        == proof["resident_begin"]
        == proof["resident_end"],
    }


def _resident_expected(checkpoint: str, recipe: dict[str, Any] | None) -> str:
    """The fingerprint of the checkpoint's weights as the recipe rounds them, computed in an interpreter of its own."""
    words = [str(PYTHON), "-c", ROUNDED, checkpoint, json.dumps(recipe)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, env=environment, check=True).stdout.strip()


ROUNDED = """
import json, sys, torch
from quant import fake_quantize
from quant.checkpoint import read_weights
from quant.fingerprint import fingerprint
from quant.recipe import Recipe
weights, given = read_weights(sys.argv[1]), json.loads(sys.argv[2])
if given is None:
    print(fingerprint(weights, dtype="bfloat16"))
else:
    recipe = Recipe.from_dict(given)
    def lies(name, weight):
        weight = weight.to(getattr(torch, recipe.dtype))
        layer = name.removesuffix(".weight")
        if not layer.endswith("_proj") or recipe.excludes(layer):
            return weight
        return fake_quantize(weight, recipe.format, rule=recipe.scale_rule)
    print(fingerprint({name: lies(name, weight) for name, weight in weights.items()}))
"""


def hung(trainer: str, folder: Path, *overrides: str) -> dict[str, Any]:
    """A run hung in its final validation, its rerun, and what it writes when it is let go."""
    with real_run(trainer, folder, False, *SLOW, *overrides, watched=False) as run:
        final_validation(run)
        worker = engine_worker(run)
        os.kill(worker, signal.SIGSTOP)
        try:
            _complete(run)
            before = tree(run.out)
            told = rerun(folder, str(run.out))
            after = tree(run.out)
        finally:
            os.kill(worker, signal.SIGCONT)
        code = run.process.wait(START_SECONDS)
    own = {asked(row): row["output"] for row in rows(run.out / "validation" / f"{STEPS}.jsonl")}
    first = {asked(row): row["output"] for row in rows(run.out / "validation" / f"{STEPS - 1}.jsonl")}
    ours = {asked(row): row["output"] for row in rows(Path(told["dump"]))} if "dump" in told else {}
    return {
        "rerun": told,
        "files_of_the_run": len(before),
        "files_that_changed": sorted(name for name in {*before, *after} if before.get(name) != after.get(name)),
        "exit_code_when_let_go": code,
        "outputs_equal": f"{sum(own.get(key) == output for key, output in ours.items())} of {len(own)}",
        "outputs_equal_the_step_before": f"{sum(first.get(key) == own[key] for key in own)} of {len(own)}",
    }


def _complete(run: RealRun) -> None:
    """Wait until the last step's checkpoint has its marker: it is saved before the validation."""
    marker = run.out / "checkpoints" / "latest_checkpointed_iteration.txt"
    run.until("the last checkpoint's marker", lambda: marker.exists() and marker.read_text().strip() == str(STEPS), 60)


def two_scores(folder: Path) -> dict[str, Any]:
    """A run trained in W4A4 without a final validation, scored as it was trained and in BF16."""
    variables = {"LASTSTEP_TRAIN_RECIPE": RECIPE}
    words = (*quantized(), *TO_CONVERGENCE)
    with real_run("legacy", folder, False, *words, watched=False, variables=variables, steps=LONG) as run:
        code = run.process.wait(START_SECONDS)
    first = rerun(folder, str(run.out))
    second = rerun(folder, first["run"], "--quant", "bf16") if "run" in first else {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")}
    call = [sys.executable, "-m", "monitor.cli", "scores"]
    table = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=120)
    lines = next((run.out / "metrics").rglob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    rewards = [json.loads(line)["data"].get("critic/score/mean") for line in lines]
    kept = [reward for reward in rewards if reward is not None]
    return {
        "exit_code": code,
        "reward_of_training": {"first_ten": _mean(kept[:10]), "last_ten": _mean(kept[-10:]), "steps": len(kept)},
        "trained_layers": run.console.count("laststep: training in"),
        "as_trained": first,
        "in_bf16": second,
        "difference": second["value"] - first["value"] if "value" in second and "value" in first else None,
        "table": table.stdout,
    }


def by_verl(folder: Path, run_folder: Path) -> dict[str, Any]:
    """The route `verl` for a run that lies in a folder, taken although its version is not proved: this is the proof."""
    from examples.verl_cpu.overrides import environment
    from monitor.ledger.store import Ledger
    from monitor.report.scores import score_document
    from monitor.rerun.adopt import adopt
    from monitor.rerun.follow import watch_rerun
    from monitor.rerun.launch import start
    from monitor.rerun.plan import make_plan

    os.environ.update(environment(folder, os.environ), XDG_STATE_HOME=str(folder / "state"))
    os.environ.update(LASTSTEP_DIR=str(folder / "hooks"))
    before = tree(run_folder)
    with Ledger.open() as ledger:
        plan = make_plan(ledger, adopt(run_folder, ledger), python=str(PYTHON))
        routes = tuple(dataclasses.replace(route, chosen=route.name == "verl", usable=True) for route in plan.routes)
        plan = dataclasses.replace(plan, routes=routes)
        *_, row = watch_rerun(ledger, start(plan, ledger))
        score = next((item for item in ledger.scores(plan.run) if item.provenance.rerun_id == row.id), None)
    after = tree(run_folder)
    own = {asked(line): line["output"] for line in rows(run_folder / "validation" / f"{STEPS}.jsonl")}
    ours = {asked(line): line["output"] for line in rows(plan.dump_path)}
    return {
        "status": row.status,
        "error": row.error,
        **(_proofs(score_document(score), to_json(plan)) if score else {}),
        "files_that_changed": sorted(name for name in {*before, *after} if before.get(name) != after.get(name)),
        "outputs_equal": f"{sum(own.get(key) == output for key, output in ours.items())} of {len(own)}",
    }


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def measure(case: str, folder: Path, run_folder: Path) -> dict[str, Any]:
    """One case."""
    if case == "by-verl":
        return by_verl(folder, run_folder)
    trainer, _, bare = case.partition("-")
    if case == "two-scores":
        return two_scores(folder)
    if trainer == "lora":
        return hung("legacy", folder, *LORA, *(() if bare else quantized("bfloat16")))
    return hung(trainer, folder, *(() if bare else quantized()))


def main() -> int:
    """The cases asked for; 1 where one could not be carried out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="?", default="legacy,v1,lora,legacy-bf16,two-scores")
    parser.add_argument("--keep", type=Path, help="folder that keeps what the cases wrote")
    parser.add_argument("--of", type=Path, default=Path(), help="`by-verl`: the folder of the run")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for case in arguments.cases.split(","):
        folder = Path(tempfile.mkdtemp(prefix="lsr", dir="/tmp"))
        began = time.monotonic()
        try:
            results[case] = measure(case, folder, arguments.of)
        except (RuntimeError, OSError, KeyError, subprocess.SubprocessError) as error:
            results[case] = {"failed": f"{type(error).__name__}: {error}"}
        finally:
            if arguments.keep:
                ignored = shutil.ignore_patterns("*.sock")
                shutil.copytree(folder, arguments.keep / case, dirs_exist_ok=True, ignore=ignored)
            shutil.rmtree(folder, ignore_errors=True)
        results[case].update(seconds=round(time.monotonic() - began), load=round(os.getloadavg()[0], 1))
    print(json.dumps(results, indent=1))
    return int(any("failed" in result for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
