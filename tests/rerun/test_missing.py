"""Every missing final is listed with its reason and filled once, in order, however often the batch is interrupted.

A fake launcher at the edge writes the ledger rows that a rerun's own process writes; all else is real.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.commands import rerun, rerun_missing
from monitor.ledger.standings import judge_score
from monitor.ledger.store import Ledger
from monitor.model.errors import LaststepError
from monitor.model.run import PhaseSpan, RunConfig, RunState
from monitor.model.score import Provenance, Score
from monitor.rerun.facts import LineState, PreflightLine
from monitor.rerun.launch import NotStarted
from monitor.rerun.missing import MissingFinal, Stage, fill, missing_finals
from monitor.rerun.plan import RerunPlan
from monitor.rerun.preflight import Refused

STEP = 4


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


def keep(ledger: Ledger, name: str, seconds: float | None = None, **config: Any) -> None:
    """A run that ended without its final validation; `seconds`: how long an earlier one took."""
    values: dict[str, Any] = {
        "experiment": name,
        "trainer": "demo",
        "total_steps": STEP,
        "checkpoint_dir": f"/runs/{name}/checkpoints",
        "validation_file": f"/runs/{name}/validation.jsonl",
        "validation_rows": 2,
        "quantized": False,
    }
    known = RunConfig(**{**values, **config})
    ledger.save_run(RunState(name, known, 1000.0, trainer="demo", step=STEP, ended_at=2000.0, ended_how="killed"))
    if seconds:
        ledger.save_spans(name, [PhaseSpan(1, "testing", 1000.0, 1000.0 + seconds, seconds)])


def passes(plan: RerunPlan, ledger: Ledger) -> list[PreflightLine]:
    return [PreflightLine("complete", LineState.PASS, "")]


class Launcher:
    """Writes what a rerun's process writes: the claim of a living process, the score, the end."""

    def __init__(self, *, value: float = 0.5, proved: bool = True, ends: str = "done") -> None:
        self.launched: list[str] = []
        self.value, self.proved, self.ends = value, proved, ends

    def __call__(self, plan: RerunPlan, ledger: Ledger) -> str:
        identity = ledger.claim_rerun(plan.run, plan.step, plan.recipe_label, os.getpid())
        self.launched.append(plan.run)
        if self.ends == "done":
            ledger.add_score(self.score(plan, identity, ledger))
        if self.ends:
            error = "" if self.ends == "done" else "the engine died"
            ledger.update_rerun(identity, status=self.ends, error=error)
        return identity

    def score(self, plan: RerunPlan, identity: str, ledger: Ledger) -> Score:
        known = Provenance(
            "rerun",
            final=True,
            rows=2,
            rows_expected=2,
            recipe_declared="none",
            recipe_attested="none",
            weights_step=plan.step if self.proved else None,
            rerun_id=identity,
        )
        score = Score(plan.run, plan.step, plan.metric, self.value, 3000.0, known)
        standing, reasons = judge_score(score, ledger.run(plan.run))
        return dataclasses.replace(score, standing=standing, reasons=reasons)


def follow(ledger: Ledger, identity: str) -> list[Any]:
    return [ledger.rerun(identity)]


def runs(found: Any, stage: Stage) -> list[str]:
    return [item.run for item in found if item.stage is stage]


def filled(ledger: Ledger, launcher: Launcher) -> list[MissingFinal]:
    return [item for item, _ in fill(missing_finals(ledger, passes), ledger, launcher, follow)]


def test_the_short_ones_go_first_and_those_of_unknown_length_last(ledger: Ledger) -> None:
    for name, seconds in (("unknown", None), ("long", 900.0), ("short", 60.0)):
        keep(ledger, name, seconds)
    found = missing_finals(ledger, passes)
    assert runs(found, Stage.READY) == ["short", "long", "unknown"]
    assert all(item.why for item in found)


def test_what_preflight_refuses_or_nothing_can_plan_is_listed_with_its_reason_and_not_launched(ledger: Ledger) -> None:
    keep(ledger, "good")
    keep(ledger, "spoiled")
    keep(ledger, "without-folder", checkpoint_dir=None)

    def look(plan: RerunPlan, ledger: Ledger) -> list[PreflightLine]:
        state = LineState.FAIL if plan.run == "spoiled" else LineState.PASS
        return [PreflightLine("complete", state, "a shard is cut")]

    found = missing_finals(ledger, look)
    assert runs(found, Stage.REFUSED) == ["spoiled", "without-folder"]
    assert "a shard is cut" in found[1].why and "no checkpoint folder" in found[2].why
    launcher = Launcher()
    list(fill(found, ledger, launcher, follow))
    assert launcher.launched == ["good"]


def test_a_run_that_lives_or_has_its_final_score_is_not_among_them(ledger: Ledger) -> None:
    ledger.save_run(RunState("alive", RunConfig(total_steps=STEP), 1000.0, step=1))
    keep(ledger, "scored")
    ledger.add_score(Score("scored", STEP, "val", 0.5, 1.0, Provenance("training")))
    assert missing_finals(ledger, passes) == ()


def test_each_is_filled_once_however_often_the_batch_is_called(ledger: Ledger) -> None:
    for name in ("one", "two", "three"):
        keep(ledger, name)
    launcher = Launcher()
    for _ in range(3):
        filled(ledger, launcher)
    assert sorted(launcher.launched) == ["one", "three", "two"]


def test_one_whose_score_is_unproven_is_not_filled_again(ledger: Ledger) -> None:
    keep(ledger, "one")
    launcher = Launcher(proved=False)
    filled(ledger, launcher)
    (item,) = missing_finals(ledger, passes)
    assert (item.stage, launcher.launched) == (Stage.FILLED, ["one"])
    assert "unproven" in item.why
    assert filled(ledger, launcher) == []


@pytest.mark.parametrize("at", range(3))
def test_a_batch_that_was_interrupted_goes_on_where_it_was(ledger: Ledger, at: int) -> None:
    for name in ("a", "b", "c"):
        keep(ledger, name)
    launcher, killed = Launcher(), Launcher()

    def dies(plan: RerunPlan, ledger: Ledger) -> str:
        if len(killed.launched) == at:
            raise KeyboardInterrupt
        return killed(plan, ledger)

    with pytest.raises(KeyboardInterrupt):
        list(fill(missing_finals(ledger, passes), ledger, dies, follow))
    filled(ledger, launcher)
    assert killed.launched + launcher.launched == ["a", "b", "c"]


def test_a_rerun_that_goes_on_after_its_batch_is_followed_and_not_started_again(ledger: Ledger) -> None:
    keep(ledger, "one")
    under_way = Launcher(ends="")
    (item,) = missing_finals(ledger, passes)
    assert item.plan is not None
    identity = under_way(item.plan, ledger)
    (item,) = missing_finals(ledger, passes)
    assert (item.stage, item.rerun) == (Stage.UNDER_WAY, identity)

    def follow_to_its_end(ledger: Ledger, followed: str) -> Iterator[Any]:
        yield ledger.rerun(followed)
        assert item.plan is not None
        ledger.add_score(under_way.score(item.plan, followed, ledger))
        ledger.update_rerun(followed, status="done")

    launcher = Launcher()
    *_, (last, _) = fill([item], ledger, launcher, follow_to_its_end)
    assert (last.stage, launcher.launched) == (Stage.FILLED, [])


def test_one_whose_process_was_killed_is_started_again(ledger: Ledger) -> None:
    keep(ledger, "one")
    (item,) = missing_finals(ledger, passes)
    assert item.plan is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = ledger.claim_rerun("one", STEP, item.plan.recipe_label, child.pid)
    child.kill()
    child.wait()
    launcher = Launcher()
    filled(ledger, launcher)
    assert launcher.launched == ["one"]
    assert ledger.rerun(identity).status == "failed"


def test_one_that_another_batch_filled_meanwhile_is_not_started(ledger: Ledger) -> None:
    keep(ledger, "one")
    found = missing_finals(ledger, passes)
    filled(ledger, Launcher())
    late = Launcher()
    assert [item.stage for item, _ in fill(found, ledger, late, follow)] == [Stage.FILLED]
    assert late.launched == []


@pytest.mark.parametrize("error", [Refused("the disk is full"), NotStarted("it ended at once")])
def test_one_that_is_refused_at_the_last_moment_leaves_the_others_alone(ledger: Ledger, error: LaststepError) -> None:
    keep(ledger, "a")
    keep(ledger, "b")
    launcher = Launcher()

    def refusing(plan: RerunPlan, ledger: Ledger) -> str:
        if plan.run == "a":
            raise error
        return launcher(plan, ledger)

    stages = {item.run: item.stage for item, _ in fill(missing_finals(ledger, passes), ledger, refusing, follow)}
    assert stages == {"a": Stage.REFUSED, "b": Stage.FILLED}


def called(launcher: Launcher, *words: str) -> int:
    parser = argparse.ArgumentParser()
    rerun.add_arguments(parser)
    arguments = parser.parse_args(["--missing", *words])
    return rerun_missing.run(arguments, passes, launcher, follow)


@pytest.mark.parametrize(
    ("launcher", "code", "stage"),
    [
        (Launcher(), 0, "filled"),
        (Launcher(proved=False), 12, "filled"),
        (Launcher(ends="failed"), 1, "failed"),
    ],
)
def test_the_exit_code_says_whether_all_that_was_missing_stands(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], launcher: Launcher, code: int, stage: str
) -> None:
    keep(ledger, "one")
    assert called(launcher, "--json", "--confirm", "fill 1") == code
    (item,) = json.loads(capsys.readouterr().out)["missing"]
    assert (item["run"], item["stage"], item["step"]) == ("one", stage, STEP)


def test_a_dry_run_lists_and_launches_nothing(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    keep(ledger, "one")
    launcher = Launcher()
    assert called(launcher, "--dry-run") == 0
    assert launcher.launched == [] and "one step 4" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["", "fill", "fill 2", "one"])
def test_nothing_is_launched_without_the_words_that_name_how_many(ledger: Ledger, said: str) -> None:
    keep(ledger, "one")
    launcher = Launcher()
    with pytest.raises(LaststepError, match="not confirmed"):
        called(launcher, "--confirm", said)
    assert launcher.launched == []


def test_a_family_is_named_by_the_beginning_of_its_names(ledger: Ledger) -> None:
    for name in ("mx-1", "mx-2", "other"):
        keep(ledger, name)
    launcher = Launcher()
    assert called(launcher, "mx-", "--confirm", "fill 2") == 0
    assert launcher.launched == ["mx-1", "mx-2"]
    with pytest.raises(rerun_missing.NoSuchFamily, match="names no run"):
        called(launcher, "nothing-such")


def test_words_about_one_run_are_refused_beside_missing(ledger: Ledger) -> None:
    parser = argparse.ArgumentParser()
    rerun.add_arguments(parser)
    for words in (["--missing", "--step", "3"], ["--missing", "--emit"], [], ["a", "b"]):
        with pytest.raises(rerun.OneRun):
            rerun.run(parser.parse_args(words))
