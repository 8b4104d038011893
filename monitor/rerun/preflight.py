"""Preflight: every condition of a safe rerun as one line, pass, fail or unknown. Any fail refuses.

`check` gathers the facts and judges them; `judge` is the pure half. Repairs nothing and starts nothing but a child that
reads weights.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.errors import ExitCode, LaststepError
from monitor.rerun.checkpoint_lines import checkpoint_lines
from monitor.rerun.environment_lines import environment_lines
from monitor.rerun.facts import LineState, PreflightFacts, PreflightLine
from monitor.rerun.plan import UNQUANTIZED, RerunPlan
from monitor.rerun.resource_lines import resource_lines
from monitor.rerun.verl_lines import verl_lines

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

__all__ = ["LineState", "PreflightLine", "Refused", "check", "judge", "refuse"]


class Refused(LaststepError):
    """Preflight found a condition under which a rerun would harm the run or give a score that means nothing."""

    exit_code = ExitCode.REFUSED


def check(plan: RerunPlan, ledger: Ledger) -> tuple[PreflightLine, ...]:
    """Gather the facts and judge them. Takes seconds: it hashes the checkpoint, and reads its weights in a child."""
    from monitor.rerun.gather import gather

    return judge(plan, gather(plan, ledger))


def refuse(lines: Sequence[PreflightLine]) -> None:
    """Raise `Refused` with the first failed line's sentence and cure, where there is one."""
    failed = [line for line in lines if line.state is LineState.FAIL]
    if failed:
        raise Refused(f"preflight refuses the rerun: {failed[0].sentence}", failed[0].cure)


def judge(plan: RerunPlan, facts: PreflightFacts) -> tuple[PreflightLine, ...]:
    """The lines for these facts."""
    return (
        *checkpoint_lines(plan, facts),
        *verl_lines(plan, facts),
        *environment_lines(plan, facts),
        _validation_set(plan, facts),
        _recipe(plan),
        _engine(facts),
        _versions(facts),
        *resource_lines(facts),
        _output(plan, facts),
        _experiment(plan, facts),
        _alone(plan, facts),
    )


def _validation_set(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name, data = "validation-set", facts.data
    if not data.exists or data.sha256 is None:
        sentence = f"the validation file {plan.validation_file} can't be read"
        return PreflightLine(name, LineState.FAIL, sentence, (), "put the run's validation file back")
    if plan.rows_expected and data.rows is not None and plan.rows_expected % max(data.rows, 1):
        sentence = f"the validation file has {data.rows} rows, the run's validation had {plan.rows_expected}"
        return PreflightLine(name, LineState.FAIL, sentence, (plan.validation_file,), "put the run's own file back")
    evidence = (plan.validation_file, f"sha256 {data.sha256}")
    if plan.validation_sha256 is None:
        untouched = data.modified_at is not None and data.modified_at < plan.run_started_at
        when = _utc(data.modified_at)
        sentence = f"the run's validation data was not hashed while it ran; the file was last changed {when}"
        sentence += ", before the run began" if untouched else ", after the run began"
        cure = "keep `laststep watch` running with the run"
        return PreflightLine(name, LineState.UNKNOWN, sentence, evidence, cure, doubt=not untouched)
    if plan.validation_sha256 != data.sha256:
        sentence = "the validation data is not the run's: the file has another content now (sha256)"
        recorded = (*evidence, f"recorded {plan.validation_sha256}")
        return PreflightLine(name, LineState.FAIL, sentence, recorded, "put the run's own file back")
    return PreflightLine(name, LineState.PASS, "the validation data is the run's own (sha256)", evidence)


def _recipe(plan: RerunPlan) -> PreflightLine:
    name, training = "recipe", plan.training_recipe
    if training is None:
        return _unrecorded_recipe(plan)
    if plan.recipe is None:
        sentence = f"{UNQUANTIZED} was asked for; training used {training['name']}: the score will be `not-quantized`"
        return PreflightLine(name, LineState.PASS, sentence)
    different = [key for key in sorted({*training, *plan.recipe}) if training.get(key) != plan.recipe.get(key)]
    different = [key for key in different if key != "name"]
    if not different:
        return PreflightLine(name, LineState.PASS, f"the recipe is the training's: {training['name']}")
    phrases = tuple(f"{key}: {plan.recipe.get(key)!r}, trained with {training.get(key)!r}" for key in different)
    sentence = f"the recipe {plan.recipe_label} is not the training's: {phrases[0]}"
    cure = f"leave out --quant to use the training's own recipe, or say --quant {UNQUANTIZED} for an unquantized score"
    return PreflightLine(name, LineState.FAIL, sentence, phrases, cure)


def _unrecorded_recipe(plan: RerunPlan) -> PreflightLine:
    """Where the run recorded no recipe: it may have trained without one, or with one it did not write in full."""
    name, cure = "recipe", "name the recipe with --quant"
    if plan.recipe is not None:
        sentence = f"the run recorded no recipe in full to compare `{plan.recipe_label}` with"
        return PreflightLine(name, LineState.UNKNOWN, sentence, (), "the score will be `unproven`", doubt=True)
    if plan.training_quantized is False:
        return PreflightLine(name, LineState.PASS, "training was not quantized, and neither is the rerun")
    if plan.training_quantized and not plan.recipe_asked:
        sentence = "the run trained quantized and did not record its recipe in full"
        return PreflightLine(name, LineState.FAIL, sentence, (), f"{cure}, or say --quant {UNQUANTIZED}")
    sentence = f"the run recorded no quantization recipe; the rerun evaluates in {UNQUANTIZED}, unquantized"
    return PreflightLine(name, LineState.UNKNOWN, sentence, (), f"if it trained quantized, {cure}")


def _engine(facts: PreflightFacts) -> PreflightLine:
    if facts.weights.engine_error:
        sentence = f"the evaluation engine can't be loaded: {facts.weights.engine_error}"
        return PreflightLine("engine", LineState.FAIL, sentence, (), facts.weights.engine_cure)
    return PreflightLine("engine", LineState.PASS, "the evaluation engine loads")


def _versions(facts: PreflightFacts) -> PreflightLine:
    now, recorded = facts.weights.torch_version, facts.around.recorded_torch
    if recorded is None or now is None:
        sentence = f"the run recorded no version of torch to compare with {now or 'ours'}"
        return PreflightLine("versions", LineState.UNKNOWN, sentence)
    if now == recorded:
        return PreflightLine("versions", LineState.PASS, f"torch {now}, as in the run")
    sentence = f"torch is {now}, the run used {recorded}: sums may round differently"
    cure = f"install torch {recorded}"
    return PreflightLine("versions", LineState.FAIL, sentence, (f"torch {now}", f"recorded {recorded}"), cure)


def _output(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name, out = "output-folder", plan.out_directory
    cure = "choose a folder of its own, outside the run's"
    if facts.around.out_exists:
        return PreflightLine(name, LineState.FAIL, f"the output folder {out} exists already", (out,), cure)
    clash = next((path for path in plan.run_paths if overlaps(out, path)), None)
    if clash:
        sentence = f"the output folder {out} would touch the run's own {clash}"
        return PreflightLine(name, LineState.FAIL, sentence, (out, clash), cure)
    return PreflightLine(name, LineState.PASS, "the output folder is new and outside the run's", (out,))


def overlaps(out: str, run_path: str) -> bool:
    """True where the output folder is, contains or lies inside a path of the run, symbolic links followed."""
    ours, theirs = os.path.realpath(out), os.path.realpath(run_path)
    return ours == theirs or Path(theirs) in Path(ours).parents or Path(ours) in Path(theirs).parents


def _experiment(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name = "experiment-name"
    if plan.experiment in (plan.run_experiment, plan.run) or plan.experiment in facts.around.taken_experiments:
        sentence = f"the experiment name {plan.experiment} is taken: a trainer erases the metrics of a run of that name"
        return PreflightLine(name, LineState.FAIL, sentence, (), "choose another experiment name")
    return PreflightLine(name, LineState.PASS, f"the experiment name is new: {plan.experiment}")


def _alone(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name = "no-other-rerun"
    if facts.around.under_way:
        sentence = f"a rerun of this score is under way: {facts.around.under_way[0]}"
        return PreflightLine(name, LineState.FAIL, sentence, facts.around.under_way, "wait for it, or cancel it")
    live = "; the live run is left alone" if facts.around.driver_alive else ""
    return PreflightLine(name, LineState.PASS, f"no other rerun of this score is under way{live}")


def _utc(at: float | None) -> str:
    return (
        "at an unknown time" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    )
