"""Real verl 0.9.1 on real vLLM, on a CPU: what the watch says of it, and of a real hang. `make bench-real`.

    python -m benchmarks.real_verl [run-legacy,run-v1,hang-legacy,hang-v1] [--hooks] [--keep FOLDER]

`run-…`: a run of 2 steps to its end, watched; the watch's steps, scores and end against the run's own metrics file.
`hang-…`: the vLLM worker is stopped (SIGSTOP) in the final validation; the watch's finding and how long it took, what
`laststep dump` says then, and that the run goes on to its end when the worker is let go. Prints one JSON document;
FOLDER keeps consoles, metrics, bundles and ledgers. One start of verl takes 3 to 5 minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "examples" / "verl_cpu" / "run.py"
STEPS = 2
START_SECONDS = 1200.0
PROOF_SECONDS = 240.0
BEGINS = {
    "legacy": "'validate': True, 'global_steps': {step}",
    "v1": "Saving checkpoint to",
}
SLOW = ("data.max_response_length=160", "actor_rollout_ref.rollout.max_num_seqs=1")
"""A validation of many seconds, so that it can be stopped in its middle."""


@dataclass
class RealRun:
    """A run under way, with what is needed to watch it."""

    trainer: str
    out: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    module: str = "monitor.cli"
    """What is called as the command."""

    @property
    def console(self) -> str:
        """What it printed so far."""
        path = self.out / "console.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def until(self, what: str, seen: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
        """The first true answer of `seen`. RuntimeError where the run ended or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = seen()
            if answer:
                return answer
            if self.process.poll() is not None:
                raise RuntimeError(f"the run ended before {what}: see {self.out / 'console.log'}")
            time.sleep(0.1)
        raise RuntimeError(f"{what} did not come in {seconds:.0f} s")

    def laststep(self, *words: str) -> dict[str, Any]:
        """One call of the command, its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", self.module, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.out,
            timeout=300,
        )
        document: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {"stderr": done.stderr}
        return {**document, "exit_code": done.returncode}


@contextlib.contextmanager
def real_run(
    trainer: str,
    folder: Path,
    hooks: bool,
    *overrides: str,
    watched: bool = True,
    variables: Mapping[str, str] | None = None,
    steps: int = STEPS,
) -> Iterator[RealRun]:
    """A run in `folder` with a watch on it; ended at the latest with the context. `variables`: for the run alone."""
    out = folder / "run"
    common = {**os.environ, "PYTHONPATH": str(ROOT), "LASTSTEP_DIR": str(folder / "hooks")}
    common.pop("LASTSTEP", None)
    words = [sys.executable, str(RUN), trainer, "--out", str(out), "--steps", str(steps), "--", *overrides]
    asked = {**common, **({"LASTSTEP": "1"} if hooks else {}), **(variables or {})}
    process = subprocess.Popen(words, env=asked, start_new_session=True)
    run = RealRun(trainer, out, process, {**common, "XDG_STATE_HOME": str(folder / "state")})
    watch: subprocess.Popen[bytes] | None = None
    try:
        places = run.until("Ray's start", lambda: _json(out / "ray.json"))
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": places["token_path"]}
        run.environment.update(token, RAY_ADDRESS=places["address"])
        watch = _watch(run, folder, places["address"]) if watched else None
        yield run
        if watch is not None:
            watch.wait(60)
    finally:
        for ended in (process, watch):
            if ended is not None and ended.poll() is None:
                ended.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    ended.wait(90)


def _watch(run: RealRun, folder: Path, address: str) -> subprocess.Popen[bytes]:
    """A watch on the run's Ray, from its start."""
    words = [sys.executable, "-m", "monitor.cli", "watch", "--wait", str(START_SECONDS), "--ray", address]
    with (folder / "watch.log").open("wb") as log:
        return subprocess.Popen(words, env=run.environment, stdout=log, stderr=log, cwd=run.out)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def scores_of(folder: Path, observer: str = "state") -> dict[str, Any]:
    """What the ledger of a watch keeps of the run."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / observer)}
    words = [sys.executable, "-m", "monitor.cli", "scores", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
    (run,) = json.loads(done.stdout)["runs"]
    return dict(run)


def to_the_end(trainer: str, folder: Path, hooks: bool) -> dict[str, Any]:
    """A run to its end: the watch's scores against those in the run's own metrics file."""
    began = time.monotonic()
    with real_run(trainer, folder, hooks) as run:
        code = run.process.wait(START_SECONDS)
    lines = next((folder / "run" / "metrics").rglob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    own = {}
    for record in map(json.loads, lines):
        core = {name: value for name, value in record["data"].items() if name.startswith("val-core/")}
        own.update({f"{record['step']} {name}": value for name, value in core.items()})
    kept = scores_of(folder)
    seen = {f"{score['step']} {score['metric']}": score["value"] for score in kept["scores"]}
    norms = [json.loads(line)["data"].get("actor/grad_norm") for line in lines]
    return {
        "exit_code": code,
        "seconds": round(time.monotonic() - began, 1),
        "grad_norm": [norm for norm in norms if norm is not None],
        "scores_equal": seen == own,
        "scores": seen,
        "standing": {f"{score['step']} {score['metric']}": score["standing"] for score in kept["scores"]},
    }


def hang(trainer: str, folder: Path, hooks: bool) -> dict[str, Any]:
    """The engine's worker stopped in the final validation, the verdict on it, and the run's end once it is let go."""
    with real_run(trainer, folder, hooks, *SLOW) as run:
        final_validation(run)
        worker = engine_worker(run)
        os.kill(worker, signal.SIGSTOP)
        stopped_at = time.time()
        try:
            finding = run.until("a finding of the watch", lambda: _finding(run), PROOF_SECONDS)
            found_after = time.time() - stopped_at
            dumped = run.laststep("dump", "--json")
            health = run.console.count("Final validation metrics")
        finally:
            os.kill(worker, signal.SIGCONT)
        code = run.process.wait(START_SECONDS)
    return {
        "stopped": worker,
        "class": finding["class"],
        "culprit": finding["culprit"],
        "culprit_right": finding["culprit"]["pid"] == worker,
        "sentence": finding["sentence"],
        "seconds_from_stop": round(found_after, 1),
        "dump": {key: dumped.get(key) for key in ("verdict", "exit_code")},
        "dump_class": [item["class"] for item in dumped.get("findings", ())],
        "position": dumped.get("run"),
        "final_metrics_printed_while_hung": health,
        "exit_code_when_let_go": code,
    }


def final_validation(run: RealRun) -> None:
    """Wait until generation of the last step's validation is under way."""
    if run.trainer == "legacy":
        mark = BEGINS["legacy"].format(step=STEPS)
        run.until("the final validation", lambda: mark in run.console)
    else:
        # V1 prints nothing at its begin: the weights of the last step have been synced.
        run.until("the last save", lambda: f"{BEGINS['v1']} {run.out}/checkpoints/global_step_{STEPS}" in run.console)
        synced = "update_weights done"
        run.until("the last weight sync", lambda: run.console.count(synced) > STEPS)
    time.sleep(0.7)


def engine_worker(run: RealRun) -> int:
    """The pid of vLLM's worker process: a descendant of the Ray head with that title."""
    import psutil

    for process in psutil.Process(run.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "VLLM::Worker" in " ".join(process.cmdline()):
                return process.pid
    raise RuntimeError("no vLLM worker was found")


def _finding(run: RealRun) -> dict[str, Any] | None:
    runs = run.laststep("status", "--json").get("runs") or [{}]
    proved = [finding for finding in runs[0].get("findings", ()) if finding["proved"]]
    return proved[0] if proved else None


CASES: dict[str, Callable[[Path, bool], dict[str, Any]]] = {
    "run-legacy": lambda folder, hooks: to_the_end("legacy", folder, hooks),
    "run-v1": lambda folder, hooks: to_the_end("v1", folder, hooks),
    "hang-legacy": lambda folder, hooks: hang("legacy", folder, hooks),
    "hang-v1": lambda folder, hooks: hang("v1", folder, hooks),
}


def main() -> int:
    """The cases asked for, one after the other; 1 where one could not be carried out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="?", default=",".join(CASES))
    parser.add_argument("--hooks", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder that keeps what the cases wrote")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for name in arguments.cases.split(","):
        folder = Path(tempfile.mkdtemp(prefix="lsv", dir="/tmp"))
        try:
            results[name] = CASES[name](folder, arguments.hooks)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            results[name] = {"failed": str(error)}
        finally:
            if arguments.keep:
                shutil.copytree(
                    folder, arguments.keep / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock")
                )
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    print(json.dumps({"hooks": arguments.hooks, "cases": results}, indent=1))
    return int(any("failed" in result for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
