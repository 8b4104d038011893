"""The plan of a rerun: which score of which run, from which checkpoint, with which recipe, into which folder.

Made from the ledger and the trainer's profile alone; whether the plan is safe is preflight's business, so a plan exists
also for a checkpoint that doesn't. Does not read checkpoints or data, and starts nothing but a
child that tells the versions in another interpreter.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.model.errors import ExitCode, LaststepError
from monitor.model.json_form import MalformedRecord, from_json, to_json
from monitor.model.run import RunState
from monitor.rerun import calibration, routes
from monitor.rerun.calibration import Calibration
from monitor.rerun.installed import installed
from monitor.rerun.recorded_config import recorded_config
from monitor.rerun.routes import Route
from monitor.rerun.verl_evaluation import VerlEvaluation, evaluation_of
from quant.errors import RecipeError
from quant.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

SCHEMA = 1
UNQUANTIZED = "bf16"
"""The word of `--quant` for an evaluation without quantization, in BF16."""
DEFAULT_METRIC = "val/score/mean"


class CannotPlan(LaststepError):
    """The ledger knows too little of the run to fill a score."""

    HELP_TEXT = "see `laststep scores RUN` for what is known of the run"
    exit_code = ExitCode.REFUSED


class UnknownRecipe(LaststepError):
    """A recipe that no file of configs/quant defines, or that can't be read."""

    HELP_TEXT = f"name a recipe of configs/quant, a path to a recipe file, or `{UNQUANTIZED}`"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class RerunPlan:
    """All that a rerun does, decided before anything starts. Paths are absolute."""

    schema: int
    run: str
    step: int
    final: bool | None
    """Whether `step` is the run's last; None where the run's total is not known."""
    trainer: str
    metric: str
    checkpoint: str
    start_model: str | None
    validation_file: str
    validation_sha256: str | None
    """What the watch recorded while the run was live."""
    rows_expected: int | None
    recipe: dict[str, Any] | None
    """The recipe to evaluate with, in full; None: unquantized, in BF16 where `recipe_label` says so."""
    recipe_label: str
    """`mxfp4_w4a4`, `bf16`, …: what the score will be called."""
    recipe_asked: bool
    """The recipe was asked for by the caller, not taken from the run."""
    training_recipe: dict[str, Any] | None
    """The recipe that the run recorded, in full."""
    training_quantized: bool | None
    """Whether training was quantized, as far as the run's configuration says; None: not known."""
    engine: str
    """Import path of the evaluation engine, `package.module:attribute`."""
    out_directory: str
    """Where the rerun writes its plan, log, dump and attestation; nothing else is written."""
    experiment: str
    run_experiment: str | None
    run_paths: tuple[str, ...]
    """Files and folders of the run, never written."""
    run_started_at: float
    driver_mark: str | None
    ledger: str
    """The ledger's file."""
    verl: VerlEvaluation | None = None
    """How a verl run's validation is evaluated outside the trainer; None: another trainer's engine."""
    python: str | None = None
    """The interpreter that evaluates, in a process of its own; None: ours, in a Ray of its own."""
    config_source: str | None = None
    """The file that showed the run's configuration."""
    route_reason: str = ""
    """What evaluates, and why."""
    routes: tuple[Route, ...] = ()
    """Every way to evaluate it, at most one chosen."""
    calibration: Calibration | None = None
    """The training's own score that is repeated first."""
    calibration_reason: str = ""

    @property
    def by_trainer(self) -> bool:
        """The trainer itself evaluates, not laststep."""
        return any(route.chosen and route.name == routes.TRAINER for route in self.routes)

    @property
    def dump_path(self) -> Path:
        """The file of the evaluated samples, named as the trainer names it."""
        return Path(self.out_directory) / "validation" / f"{self.step}.jsonl"

    @property
    def attestation_path(self) -> Path:
        """The file of the attestation."""
        return Path(self.out_directory) / "attestation.json"

    @property
    def log_path(self) -> Path:
        """What the rerun's processes print."""
        return Path(self.out_directory) / "rerun.log"

    @property
    def file(self) -> Path:
        """The plan's own file."""
        return Path(self.out_directory) / "plan.json"


def make_plan(
    ledger: Ledger, run: str, *, step: int | None = None, quant: str | None = None, python: str | None = None
) -> RerunPlan:
    """The plan for `run` (any unique prefix), at its last step unless `step` says otherwise.

    `python`: the interpreter of an environment with the run's engine, where ours has none. Raises `CannotPlan`,
    `UnknownRecipe`, `NoSuchRun`, `AmbiguousRun`.
    """
    state = ledger.run(run)
    chosen = _step(state, step)
    engine, verl, source = _evaluation(state)
    training = _training_recipe(state) or (verl.recipe if verl else None)
    quantized = True if training else verl.quantized if verl else state.config.quantized
    recipe, label = _recipe(training, quant)
    name = f"{state.name}-step{chosen}-{label}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    ledger_file = Path(ledger.path).resolve()
    metric = _metric(state)
    repeat, why = calibration.choose(ledger, state, chosen, metric, recipe_asked=quant is not None)
    return RerunPlan(
        schema=SCHEMA,
        run=state.name,
        step=chosen,
        final=None if state.final_step is None else chosen == state.final_step,
        trainer=state.trainer,
        metric=metric,
        checkpoint=_checkpoint(state, chosen),
        start_model=_absolute(state.config.model_path),
        validation_file=_validation_file(state),
        validation_sha256=state.config.validation_sha256,
        rows_expected=state.config.validation_rows,
        recipe=recipe,
        recipe_label=label,
        recipe_asked=quant is not None,
        training_recipe=training,
        training_quantized=quantized,
        engine=engine,
        out_directory=str(ledger_file.parent / "reruns" / name),
        experiment=f"{state.config.experiment or state.name}-rerun-{name[len(state.name) + 1 :]}",
        run_experiment=state.config.experiment,
        run_paths=_run_paths(state),
        run_started_at=state.started_at,
        driver_mark=state.config.driver_mark,
        ledger=str(ledger_file),
        verl=verl,
        python=(python or sys.executable) if verl else None,
        config_source=source,
        route_reason=routes.reason(verl),
        routes=routes.choose(
            verl, installed(python or sys.executable) if verl else None, routes.weight_sync(state.trainer)
        ),
        calibration=repeat,
        calibration_reason=why,
    )


def _evaluation(state: RunState) -> tuple[str, VerlEvaluation | None, str | None]:
    """The engine; for one of the built-in engines how to drive it, by the run's own configuration, and whose file."""
    from monitor.sources.trainer_profile import load_profile

    engine = _engine(state)
    if ":" in engine.partition("?")[0]:
        return engine, None, None
    recorded = recorded_config(state.config, load_profile(state.trainer))
    if recorded is None:
        raise CannotPlan(
            f"the configuration of {state.name} can't be resolved: neither its log nor a Hydra file shows it",
            "name the run's folder: `laststep rerun FOLDER`, with its console log or `.hydra/config.yaml` in it",
        )
    evaluation = evaluation_of(recorded, engine)
    return evaluation.engine, evaluation, recorded.source


def _engine(state: RunState) -> str:
    from monitor.sources.trainer_profile import load_profile

    engine = load_profile(state.trainer).evaluation_engine
    if not engine:
        raise CannotPlan(
            f"no evaluation engine is known for trainer `{state.trainer}`, so {state.name} can't be evaluated again",
            "name one as `evaluation_engine` in configs/trainers",
        )
    return engine


def write_plan(plan: RerunPlan) -> Path:
    """Make the rerun's folder and write the plan into it. Raises `FileExistsError` where the folder exists."""
    directory = Path(plan.out_directory)
    directory.mkdir(mode=0o700, parents=True)
    plan.file.write_text(json.dumps(to_json(plan), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return plan.file


def read_plan(path: Path) -> RerunPlan:
    """The plan in a file. Raises `CannotPlan`."""
    try:
        return from_json(RerunPlan, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, MalformedRecord) as error:
        raise CannotPlan(f"{path} is no rerun plan: {error}", "make a new plan with `laststep rerun RUN`") from error


def _step(state: RunState, asked: int | None) -> int:
    if asked is not None:
        return asked
    if state.final_step is not None:
        return state.final_step
    raise CannotPlan(f"the last step of {state.name} is not known", "name the step: `laststep rerun RUN --step N`")


def _checkpoint(state: RunState, step: int) -> str:
    recorded = next((item.path for item in state.checkpoints if item.step == step), None)
    if recorded:
        return str(Path(recorded).absolute())
    if state.config.checkpoint_dir:
        return str(Path(state.config.checkpoint_dir).absolute() / f"global_step_{step}")
    raise CannotPlan(f"{state.name} recorded no checkpoint folder", "without a checkpoint no score can be made again")


def _validation_file(state: RunState) -> str:
    if not state.config.validation_file:
        raise CannotPlan(f"{state.name} recorded no validation file", "without the data no score can be made again")
    return str(Path(state.config.validation_file).absolute())


def _training_recipe(state: RunState) -> dict[str, Any] | None:
    if state.config.recipe is None:
        return None
    try:
        return Recipe.from_dict(state.config.recipe).to_dict()
    except RecipeError as error:
        raise CannotPlan(f"the recipe that {state.name} recorded can't be read: {error}", error.HELP_TEXT) from error


def _recipe(training: dict[str, Any] | None, asked: str | None) -> tuple[dict[str, Any] | None, str]:
    if asked is None:
        return training, str(training["name"]) if training else UNQUANTIZED
    if asked.lower() == UNQUANTIZED:
        return None, UNQUANTIZED
    try:
        recipe = load_recipe(asked)
    except RecipeError as error:
        raise UnknownRecipe(str(error), error.HELP_TEXT) from error
    return recipe.to_dict(), recipe.name


def _metric(state: RunState) -> str:
    named = [validation.metric for validation in state.validations if validation.metric]
    return named[-1] if named else DEFAULT_METRIC


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _run_paths(state: RunState) -> tuple[str, ...]:
    config = state.config
    named = (
        config.checkpoint_dir,
        config.validation_data_dir,
        config.validation_file,
        config.model_path,
        config.file_log,
        config.console_log,
        config.hooks_dir,
    )
    return tuple(sorted({str(Path(path).absolute()) for path in named if path}))
