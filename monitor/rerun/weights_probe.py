"""Reads weights in a child process: fingerprints of checkpoint and start model, the version of torch, the engine.

A damaged checkpoint can crash or fill the process that loads it, and torch is large: neither may befall the dashboard.
The child is `python -m monitor.rerun.weights_probe CHECKPOINT START_MODEL ENGINE`; it prints one JSON document.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from monitor.model.errors import LaststepError
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.rerun.environment import child_environment, package_root
from monitor.rerun.facts import WeightsFacts
from monitor.rerun.plan import RerunPlan

DEADLINE_SECONDS = 300.0
"""Longest a probe may take; reading weights of a large model from shared storage takes minutes."""


def probe(plan: RerunPlan, deadline: float = DEADLINE_SECONDS) -> WeightsFacts:
    """What the child says; its crash or silence becomes the reason why the weights are not known."""
    python = plan.python or sys.executable
    words = [python, "-m", "monitor.rerun.weights_probe", plan.checkpoint, plan.start_model or "", plan.engine]
    try:
        child = subprocess.run(
            words,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=package_root(),
            env=child_environment(os.environ, plan.out_directory),
            timeout=deadline,
            check=False,
        )
    except OSError as error:
        return _failed(f"{python} can't be started: {error.strerror}")
    except subprocess.TimeoutExpired:
        return _failed(f"reading them took longer than {deadline:.0f} s")
    if child.returncode != 0:
        last = child.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        return _failed(f"the reading process ended with {child.returncode}: {last[:300]}")
    try:
        return from_json(WeightsFacts, json.loads(child.stdout.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]))
    except (ValueError, MalformedRecord) as error:
        return _failed(f"the reading process gave no answer: {error}")


def _failed(why: str) -> WeightsFacts:
    return WeightsFacts(checkpoint_error=why, start_error=why)


def read(checkpoint: str, start_model: str, engine: str) -> WeightsFacts:
    """In the child: the fingerprints and the engine, each failing alone with its reason."""
    try:
        import torch
    except ImportError:
        missing = "torch is not installed here"
        cure = "install it with the extra: pip install 'laststep[quant]'"
        return WeightsFacts(checkpoint_error=missing, start_error=missing, engine_error=missing, engine_cure=cure)
    torch.set_num_threads(1)
    found, found_error = _fingerprint(checkpoint)
    start, start_error = _fingerprint(start_model) if start_model else (None, "the run recorded no start model")
    engine_error, engine_cure = _engine_problem(engine)
    version = str(torch.__version__)
    model_error = _model_problem(checkpoint, engine) if found and not engine_error else ""
    return WeightsFacts(found, start, found_error, start_error, engine_error, engine_cure, version, model_error)


def _model_problem(checkpoint: str, engine: str) -> str:
    """Why the weights are not of the model that lies beside them; empty for engines that bring their own model."""
    from quant.evaluation import engines

    if engine.partition("?")[0] not in engines.BUILT_IN:
        return ""
    from quant.evaluation import hugging_face

    try:
        hugging_face.check(Path(checkpoint))
    except Exception as error:  # config.json may be anyone's; transformers raises almost anything for it.
        return one_line(error)
    return ""


def _fingerprint(path: str) -> tuple[str | None, str]:
    from quant.fingerprint import fingerprint_checkpoint

    try:
        return fingerprint_checkpoint(Path(path)), ""
    except Exception as error:  # A damaged file makes torch raise almost anything; the reason is shown, never lost.
        return None, one_line(error)


def _engine_problem(engine: str) -> tuple[str, str]:
    from quant.evaluation import load_engine

    try:
        load_engine(engine)
    except Exception as error:  # The engine may be anyone's module.
        return one_line(error), str(getattr(error, "HELP_TEXT", LaststepError.HELP_TEXT))
    return "", ""


def one_line(error: BaseException) -> str:
    """An exception as one line: its type where the message alone would say too little."""
    text = " ".join(str(error).split())[:300]
    return text if hasattr(error, "HELP_TEXT") and text else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    print(json.dumps(to_json(read(*sys.argv[1:4]))))
