"""A rerun as a script, for SLURM, Kubernetes or another machine: plain bash, nothing of laststep's ledger in it. Pure.

Everything from outside is quoted; what goes into a comment is put on one line. The script refuses (13) before it starts
anything, makes its output folder itself, once, and ends with the exit codes that its head states.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.model.errors import ExitCode, LaststepError
from monitor.rerun.facts import LineState, PreflightLine
from monitor.rerun.needs import Needs
from monitor.rerun.own_process import ALWAYS_SET, UNLESS_SET, command
from monitor.rerun.plan import RerunPlan
from monitor.rerun.recorded_launch import RecordedLaunch
from monitor.rerun.routes import OWN, TRAINER, Route
from monitor.rerun.verl_overrides import evaluation_overrides, hydra_value, noise_left_on

GIB = 1024**3
OF_THIS_MACHINE = frozenset(
    {
        "ports",
        "gpus",
        "gpu-memory",
        "merge-space",
        "memory",
        "shared-memory",
        "processors",
        "temp-space",
        "state-folder",
    }
)
"""Preflight lines about the machine the plan was made on: a script goes elsewhere, where SLURM or Kubernetes sees to
them."""
OF_OUR_EVALUATION = frozenset({"sampling", "rows", "engine", "verl"})
"""Lines that say whether laststep's own evaluation can do it."""
ASSUMED_SECONDS = 4 * 3600.0
MARGIN = 3.0
"""Times the estimate; a job that its scheduler ends in the midst has no score."""
LEAST_SECONDS = 1800.0
PROVED = "0 scored, and the proof accepted; 12 scored, and the score does not stand"
COUNTED = "0 every row scored, with no attestation, so the score is `unproven`; 12 rows are missing"
EXIT_CODES = (
    "13 refused, nothing was started; anything else: the evaluation failed, and the end of its log is on stderr."
)
SETUP = """\
set -euo pipefail
refuse() { echo "laststep: refused: $1" >&2; exit 13; }
fail() { echo "laststep: the evaluation ended with $1; the end of $LOG:" >&2; tail -n 20 "$LOG" >&2; exit 1; }"""


class CannotEmit(LaststepError):
    """No script of this rerun would be safe, or true."""

    exit_code = ExitCode.REFUSED


def route_to_print(plan: RerunPlan, asked: str | None) -> Route:
    """The route that the script takes. Raises `CannotEmit`."""
    if plan.verl is None:
        sentence = f"the rerun of {plan.run} can't be printed: its trainer's engine runs in a Ray that laststep starts"
        raise CannotEmit(sentence, f"launch it here: `laststep rerun {plan.run}`")
    found = next((route for route in plan.routes if (route.name == asked if asked else route.chosen)), None)
    if found is None:
        why = "; ".join(f"{route.name}: {route.why}" for route in plan.routes)
        raise CannotEmit(f"no route can evaluate this checkpoint: {why}", "see docs/rerun.md")
    if not found.usable:
        raise CannotEmit(f"route `{found.name}` is not taken: {found.why}", "leave out --route, or see docs/rerun.md")
    return found


def refusals(lines: Sequence[PreflightLine], route: str) -> list[PreflightLine]:
    """The failed lines that hold wherever the script runs."""
    passing = OF_THIS_MACHINE | (OF_OUR_EVALUATION if route == TRAINER else frozenset())
    return [line for line in lines if line.state is LineState.FAIL and line.name not in passing]


def script_of(
    plan: RerunPlan,
    route: Route,
    needs: Needs,
    *,
    packages: str,
    launch: RecordedLaunch | None = None,
    doubts: Sequence[PreflightLine] = (),
) -> str:
    """The script's text. `packages`: the folder that holds laststep's packages; `launch`: for the route `verl`.

    Raises `CannotEmit`.
    """
    body = _own(plan, packages) if route.name == OWN else _trainer(plan, launch)
    return "\n".join([*_head(plan, route, needs, launch, doubts), *_checks(plan, launch), *body]) + "\n"


def _head(
    plan: RerunPlan, route: Route, needs: Needs, launch: RecordedLaunch | None, doubts: Sequence[PreflightLine]
) -> Iterator[str]:
    per_node, nodes = (needs.gpus, 1) if launch is None else _trainer_gpus(launch)
    seconds = max((needs.seconds or 0.0) * MARGIN, LEAST_SECONDS) if needs.seconds else ASSUMED_SECONDS
    yield "#!/bin/bash"
    yield "#SBATCH --job-name=laststep-rerun"
    yield f"#SBATCH --nodes={nodes}"
    yield "#SBATCH --ntasks-per-node=1"
    yield f"#SBATCH --gpus-per-node={per_node}"
    yield f"#SBATCH --cpus-per-task={needs.processors * per_node}"
    yield f"#SBATCH --mem={-(-needs.memory * per_node // GIB)}G"
    yield f"#SBATCH --time={_clock(seconds)}"
    yield _comment(f"Rerun of the validation of {plan.run} at step {plan.step} with {plan.recipe_label}.")
    yield _comment(f"Route `{route.name}`: {route.why}.")
    yield _comment(f"Time: {needs.why}; " + (f"times {MARGIN:g}." if needs.seconds else "4 hours are assumed."))
    if nodes > 1:
        yield "# Several nodes: start a Ray of this job's own over them first, and export its RAY_ADDRESS below."
    for line in doubts:
        yield _comment(f"Preflight, {line.name}: {line.sentence}")
    yield f"# Exit codes: {PROVED if route.name == OWN else COUNTED};"
    yield f"# {EXIT_CODES}"
    yield SETUP


def _checks(plan: RerunPlan, launch: RecordedLaunch | None) -> Iterator[str]:
    yield f"CHECKPOINT={shlex.quote(plan.checkpoint)}"
    yield f"VALIDATION={shlex.quote(plan.validation_file)}"
    yield f"OUT={shlex.quote(plan.out_directory)}"
    yield f"PYTHON={shlex.quote(plan.python or 'python3')}"
    yield 'LOG="$OUT/evaluation.log"'
    yield '[ -d "$CHECKPOINT" ] || refuse "the checkpoint $CHECKPOINT is not there"'
    yield '[ -r "$VALIDATION" ] || refuse "the validation file $VALIDATION can not be read"'
    if plan.validation_sha256:
        yield f"""[ "$(sha256sum < "$VALIDATION")" = {shlex.quote(plan.validation_sha256 + "  -")} ] \\"""
        yield '  || refuse "the validation data is not the run\'s: $VALIDATION has another content (sha256)"'
    yield '"$PYTHON" -c "" 2>/dev/null || refuse "the interpreter $PYTHON can not be started"'
    if launch is not None and launch.folder:
        yield f'cd {shlex.quote(launch.folder)} || refuse "the folder that the run was launched from is gone"'
    yield 'mkdir -p "$(dirname "$OUT")"'
    yield 'mkdir -m 700 "$OUT" || refuse "the output folder $OUT is there: this script runs once, print another"'


def _own(plan: RerunPlan, packages: str) -> Iterator[str]:
    words = command(plan, "none" if plan.recipe is None else "$RECIPE")
    if plan.recipe is not None:
        yield 'RECIPE="$OUT/recipe.yaml"'
        yield f"printf '%s\\n' {shlex.quote(json.dumps(plan.recipe))} > \"$RECIPE\""
    yield "# No Ray of a run is joined, and none of a run's hooks goes in."
    yield 'for name in $(compgen -e); do case "$name" in RAY_*|VERL_*|LASTSTEP_*) unset "$name" ;; esac; done'
    yield f"export PYTHONPATH={shlex.quote(packages)}${{PYTHONPATH:+:$PYTHONPATH}} PYTHONUNBUFFERED=1"
    yield "export " + " ".join(f"{name}=${{{name}:-{value}}}" for name, value in UNLESS_SET.items())
    settings = " ".join(f"{name}={value}" for name, value in ALWAYS_SET.items())
    yield f'export {settings} VLLM_CACHE_ROOT="$OUT/vllm-cache"'
    yield "status=0"
    yield f'"$PYTHON" {_words(words[1:])} \\'
    yield '  > "$OUT/evaluation.json" 2> "$LOG" || status=$?'
    yield 'case "$status" in'
    yield "  0|12) ;;"
    yield '  2) tail -n 1 "$LOG" >&2; refuse "the evaluation can not be done as asked" ;;'
    yield '  *) fail "$status" ;;'
    yield "esac"
    yield 'echo "laststep: the score is in $OUT/evaluation.json, its proof in $OUT/validation/attestation.json" >&2'
    yield 'exit "$status"'


def _trainer(plan: RerunPlan, launch: RecordedLaunch | None) -> Iterator[str]:
    if launch is None:
        raise CannotEmit(f"how {plan.run} was launched is not known", "name the run's folder")
    noise = noise_left_on(launch)
    if noise:
        raise CannotEmit(f"the run's noise ({noise}) would be on in the evaluation", "evaluate by --route laststep")
    yield "# The file logger erases a file of its name: the rerun's metrics have a folder and a name of their own."
    yield 'unset VERL_FILE_LOGGER_PATH; export VERL_FILE_LOGGER_ROOT="$OUT/metrics" PYTHONUNBUFFERED=1'
    yield "# Never into the live run's cluster; a job of several nodes names its own here."
    yield "unset RAY_ADDRESS RAY_AUTH_TOKEN"
    lines, configuration = _configuration(launch)
    yield from lines
    yield "status=0"
    yield f'"$PYTHON" -m {launch.entry} \\'
    folders = [f"hydra.run.dir={hydra_value(f'{plan.out_directory}/hydra')}"]
    for word in (*configuration, *evaluation_overrides(plan, launch), *folders):
        yield f"  {word if word.startswith('--') else shlex.quote(word)} \\"
    yield '  > "$LOG" 2>&1 || status=$?'
    yield '[ "$status" = 0 ] || fail "$status"'
    yield f'DUMP="$OUT/validation/{plan.step}.jsonl"'
    yield '[ -s "$DUMP" ] || { echo "laststep: no sample was written to $DUMP: nothing was evaluated" >&2; exit 12; }'
    if plan.rows_expected:
        yield f'rows=$(wc -l < "$DUMP"); [ "$rows" -eq {plan.rows_expected} ] \\'
        yield f'  || {{ echo "laststep: partial: $rows of {plan.rows_expected} rows were evaluated" >&2; exit 12; }}'
    yield 'echo "laststep: the score is in $OUT/metrics, its samples in $DUMP" >&2'


def _configuration(launch: RecordedLaunch) -> tuple[list[str], list[str]]:
    """Lines that write the trainer's configuration, and the words that name it."""
    if not launch.whole:
        return [], [f"--config-name={shlex.quote(launch.config_name)}"] if launch.config_name else []
    text = shlex.quote(json.dumps(launch.values, indent=1, default=str))
    written = [f"# The run's own configuration, as {_one_line(Path(launch.source).name)} shows it."]
    written.append(f"printf '%s\\n' {text} > \"$OUT/run.yaml\"")
    return written, ['--config-path="$OUT"', "--config-name=run"]


def _trainer_gpus(launch: RecordedLaunch) -> tuple[int, int]:
    """GPUs a node, and nodes, as the run had them."""
    per_node, nodes = launch.get("trainer.n_gpus_per_node"), launch.get("trainer.nnodes")
    return (per_node if isinstance(per_node, int) else 1), (nodes if isinstance(nodes, int) else 1)


def _words(words: Sequence[str]) -> str:
    """The command's words, quoted; those that the script names as variables stay variables."""
    quoted = ('"$RECIPE"' if word == "$RECIPE" else shlex.quote(word) for word in words)
    return " ".join(f"\\\n  {word}" if word.startswith("--") else word for word in quoted)


def _clock(seconds: float) -> str:
    minutes = -(-int(seconds) // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def _comment(text: str) -> str:
    return f"# {_one_line(text)}"


def _one_line(text: str) -> str:
    """Text from outside can't leave its comment: one line, nothing that a terminal obeys."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
