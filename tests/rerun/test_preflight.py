"""Each unsafe state refuses by its own line; what can't be known is shown and does not refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.model.errors import ExitCode
from monitor.rerun.facts import LineState, PreflightFacts, PreflightLine
from monitor.rerun.plan import RerunPlan
from monitor.rerun.preflight import Refused, judge, overlaps, refuse
from tests.rerun import examples


def line_of(name: str, plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    """The one line of that name."""
    (found,) = [line for line in judge(plan, facts) if line.name == name]
    return found


def test_a_safe_rerun_passes_every_line() -> None:
    lines = judge(examples.plan(), examples.facts())
    assert {line.state for line in lines} == {LineState.PASS}
    refuse(lines)


def test_every_line_has_its_own_name() -> None:
    names = [line.name for line in judge(examples.plan(), examples.facts())]
    assert len(names) == len(set(names))


def spoiled(**changes: Any) -> tuple[RerunPlan, PreflightFacts]:
    """The safe rerun with the named part replaced; keys of the plan go to the plan."""
    parts = {key: changes.pop(key) for key in list(changes) if key in PreflightFacts.__dataclass_fields__}
    return examples.plan(**changes), examples.facts(**parts)


UNSAFE = {
    "no checkpoint of that step": ("checkpoint", spoiled(checkpoint=examples.checkpoint(exists=False))),
    "unreadable checkpoint": ("checkpoint", spoiled(checkpoint=examples.checkpoint(unreadable="x can't be read"))),
    "missing shard": ("complete", spoiled(checkpoint=examples.checkpoint(missing=("actor/model_rank_1.pt",)))),
    "missing marker": ("complete", spoiled(checkpoint=examples.checkpoint(marker_step=None))),
    "marker of an earlier step": ("complete", spoiled(checkpoint=examples.checkpoint(marker_step=20))),
    "not complete": ("complete", spoiled(checkpoint=examples.checkpoint(complete=False))),
    "cut shard": (
        "unchanged",
        spoiled(checkpoint=examples.checkpoint(manifest={**examples.MANIFEST, "data.pt": (9, "bb")})),
    ),
    "swapped content": (
        "unchanged",
        spoiled(checkpoint=examples.checkpoint(manifest={**examples.MANIFEST, "data.pt": (10, "cc")})),
    ),
    "file gone": ("unchanged", spoiled(checkpoint=examples.checkpoint(manifest={"data.pt": (10, "bb")}))),
    "file added": (
        "unchanged",
        spoiled(checkpoint=examples.checkpoint(manifest={**examples.MANIFEST, "actor/lora.pt": (1, "dd")})),
    ),
    "being written": ("at-rest", spoiled(checkpoint=examples.checkpoint(writers=("pid 7 has data.pt open",)))),
    "other weights than saved": ("trained-weights", spoiled(weights=examples.weights(checkpoint="other"))),
    "start model in its place": (
        "trained-weights",
        spoiled(
            weights=examples.weights(checkpoint="untrained"),
            checkpoint=examples.checkpoint(recorded_fingerprint=None),
        ),
    ),
    "weights that don't load": (
        "trained-weights",
        spoiled(weights=examples.weights(checkpoint=None, checkpoint_error="cut")),
    ),
    "validation file gone": ("validation-set", spoiled(data=examples.data(exists=False, sha256=None))),
    "other validation data": ("validation-set", spoiled(data=examples.data(sha256="d2"))),
    "other number of rows": ("validation-set", spoiled(data=examples.data(rows=255), validation_sha256=None)),
    "another recipe": ("recipe", spoiled(recipe={**examples.RECIPE, "scale_rule": "floor"}, recipe_asked=True)),
    "recipe not recorded in full": ("recipe", spoiled(recipe=None, training_recipe=None, recipe_label="bf16")),
    "engine that isn't built": ("engine", spoiled(weights=examples.weights(engine_error="engine vllm is not built"))),
    "another torch": ("versions", spoiled(weights=examples.weights(torch_version="2.12.0"))),
    "memory taken": ("memory", spoiled(resources=examples.resources(memory_free=4 * 1024**3))),
    "/dev/shm taken": ("shared-memory", spoiled(resources=examples.resources(shared_memory_free=10 * 1024**2))),
    "no room for Ray": ("temp-space", spoiled(resources=examples.resources(temp_free=1024**2))),
    "no room for the rerun": ("state-folder", spoiled(resources=examples.resources(state_free=1024**2))),
    "state folder not writable": (
        "state-folder",
        spoiled(resources=examples.resources(state_writable=False, state_error="read-only")),
    ),
    "output folder exists": ("output-folder", spoiled(around=examples.around(out_exists=True))),
    "output inside the run": ("output-folder", spoiled(out_directory="/run/checkpoints/new")),
    "output around the run": ("output-folder", spoiled(out_directory="/run")),
    "same experiment name": ("experiment-name", spoiled(experiment="demo")),
    "name of another run": (
        "experiment-name",
        spoiled(around=examples.around(taken_experiments=("demo-rerun-step29",))),
    ),
    "a second rerun": ("no-other-rerun", spoiled(around=examples.around(under_way=("r1 (pid 7)",)))),
}


@pytest.mark.parametrize("case", UNSAFE, ids=lambda name: name.replace(" ", "-"))
def test_an_unsafe_state_is_refused_by_its_line(case: str) -> None:
    name, (plan, facts) = UNSAFE[case]
    line = line_of(name, plan, facts)
    assert line.state is LineState.FAIL, line
    assert line.sentence
    with pytest.raises(Refused) as refused:
        refuse(judge(plan, facts))
    assert refused.value.exit_code is ExitCode.REFUSED


@pytest.mark.parametrize("case", UNSAFE, ids=lambda name: name.replace(" ", "-"))
def test_an_unsafe_state_fails_no_line_but_its_own(case: str) -> None:
    name, (plan, facts) = UNSAFE[case]
    failed = {line.name for line in judge(plan, facts) if line.state is LineState.FAIL}
    assert failed == {name}


UNKNOWN = {
    "no manifest": ("unchanged", False, spoiled(checkpoint=examples.checkpoint(recorded=None))),
    "shards too large to hash": (
        "unchanged",
        False,
        spoiled(
            checkpoint=examples.checkpoint(recorded={key: (size, None) for key, (size, _) in examples.MANIFEST.items()})
        ),
    ),
    "start model gone": ("trained-weights", True, spoiled(weights=examples.weights(start=None, start_error="gone"))),
    "data never hashed, older than the run": ("validation-set", False, spoiled(validation_sha256=None)),
    "data never hashed, changed since": (
        "validation-set",
        True,
        spoiled(validation_sha256=None, data=examples.data(modified_at=2000.0)),
    ),
    "no recipe recorded": (
        "recipe",
        False,
        spoiled(recipe=None, training_recipe=None, recipe_label="bf16", training_quantized=None),
    ),
    "recipe asked, none recorded": ("recipe", True, spoiled(training_recipe=None, recipe_asked=True)),
    "no version recorded": ("versions", False, spoiled(around=examples.around(recorded_torch=None))),
    "memory unreadable": ("memory", False, spoiled(resources=examples.resources(memory_free=None))),
    "busy machine": ("processors", False, spoiled(resources=examples.resources(load=9.0))),
}


@pytest.mark.parametrize("case", UNKNOWN, ids=lambda name: name.replace(" ", "-"))
def test_what_cannot_be_known_is_shown_and_does_not_refuse(case: str) -> None:
    name, doubt, (plan, facts) = UNKNOWN[case]
    line = line_of(name, plan, facts)
    assert (line.state, line.doubt) == (LineState.UNKNOWN, doubt)
    refuse(judge(plan, facts))


def test_no_checkpoint_names_the_newest_earlier_one_and_that_the_weights_are_in_the_processes() -> None:
    line = line_of("checkpoint", *spoiled(checkpoint=examples.checkpoint(exists=False)))
    assert "/run/checkpoints/global_step_20" in line.cure
    assert "--step 20" in line.cure
    assert "only in the run's processes" in line.cure


def test_no_checkpoint_at_all_is_said() -> None:
    line = line_of("checkpoint", *spoiled(checkpoint=examples.checkpoint(exists=False, earlier=())))
    assert "no earlier complete checkpoint" in line.cure


def test_bf16_on_request_passes_and_says_what_the_score_will_be() -> None:
    line = line_of("recipe", *spoiled(recipe=None, recipe_label="bf16", recipe_asked=True))
    assert line.state is LineState.PASS
    assert "not-quantized" in line.sentence


def test_a_run_that_trained_unquantized_is_evaluated_so() -> None:
    case = spoiled(recipe=None, training_recipe=None, recipe_label="bf16", training_quantized=False)
    assert line_of("recipe", *case).state is LineState.PASS


def test_the_same_recipe_under_another_name_is_the_trainings() -> None:
    renamed = {**examples.RECIPE, "name": "mine"}
    assert line_of("recipe", *spoiled(recipe=renamed, recipe_asked=True)).state is LineState.PASS


def test_a_link_into_the_run_is_followed_before_the_output_folder_is_called_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "run")
    assert overlaps(str(tmp_path / "state" / "reruns"), str(tmp_path / "run"))
    assert not overlaps(str(tmp_path / "runs"), str(tmp_path / "run"))
