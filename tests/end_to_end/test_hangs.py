"""Every hang of the demo is proved with its class, culprit and line; what is no hang is never called one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.command import Said, laststep, processes_of

pytestmark = [pytest.mark.real, pytest.mark.torch]

STEPS = ("--steps", "2")

CULPRITS = {
    "control-queue": "RolloutServer",
    "self-get": "AgentLoopWorker",
    "loop-blocked": "RolloutServer",
    "lost-wakeup": "AgentLoopWorker",
    "engine-stopped": "RolloutServer",
}
"""The actor class that each order really hangs."""

WITH_LINE = ("control-queue", "self-get", "loop-blocked", "lost-wakeup")
"""Classes whose culprit is a line of Python; a stopped process has none."""


def demo(*words: str) -> Said:
    """A shortened demo, headless."""
    return laststep("demo", "--headless", "--json", *STEPS, *words)


@pytest.mark.parametrize("hang", sorted(CULPRITS))
def test_each_hang_is_proved_with_class_culprit_line_chain_and_bundle(hang: str, own_folders: Path) -> None:
    said = demo("--hang", hang)
    assert said.code == 11, said.stderr
    document = said.document
    assert document["verdict"] == "hang"
    assert [finding["class"] for finding in document["findings"]] == [hang]
    finding = document["findings"][0]
    assert finding["proved"] is True
    assert CULPRITS[hang] in finding["culprit"]["process"]
    assert finding["chain"], "the chain of waits leads from the trainer to the culprit"
    assert finding["evidence"]
    assert finding["seconds_to_proof"] > 0
    if hang in WITH_LINE:
        text = Path(finding["file"]).read_text().splitlines()[finding["line"] - 1]
        assert text.strip(), "file and line name a real line"
    report = Path(document["bundle"]) / "report.md"
    assert finding["sentence"] in report.read_text()
    assert processes_of(own_folders) == []


@pytest.mark.parametrize("hang", ["control-queue", "self-get", "loop-blocked", "lost-wakeup", "engine-stopped"])
def test_without_hooks_every_hang_is_proved_all_the_same(hang: str) -> None:
    said = demo("--hang", hang, "--no-hooks")
    assert said.code == 11, said.stderr
    assert [finding["class"] for finding in said.document["findings"]] == [hang]
    assert CULPRITS[hang] in said.document["findings"][0]["culprit"]["process"]


@pytest.mark.parametrize("hooks", [(), ("--no-hooks",)], ids=["hooks", "no-hooks"])
def test_a_slow_validation_that_moves_is_never_called_a_hang(hooks: tuple[str, ...]) -> None:
    said = demo("--hang", "slow", *hooks)
    assert said.code == 0, said.stderr
    assert said.document["findings"] == []
    assert said.document["verdict"] == "ended"


@pytest.mark.parametrize("hooks", [(), ("--no-hooks",)], ids=["hooks", "no-hooks"])
def test_a_hang_that_chatters_is_proved_as_fast_as_a_silent_one(hooks: tuple[str, ...]) -> None:
    said = demo("--hang", "control-queue", "--chatter", *hooks)
    assert said.code == 11, said.stderr
    assert [finding["class"] for finding in said.document["findings"]] == ["control-queue"]


def test_replay_of_the_bundle_gives_the_same_verdict(own_folders: Path) -> None:
    said = demo("--hang", "self-get")
    replayed = laststep("replay", said.document["bundle"], "--json")
    assert replayed.code == 11
    for key in ("class", "proved", "sentence", "culprit", "file", "line", "chain"):
        assert replayed.document["findings"][0][key] == said.document["findings"][0][key]


def test_a_healthy_run_ends_with_no_finding_and_a_final_score_that_stands() -> None:
    said = demo()
    assert said.code == 0, said.stderr
    assert said.document["verdict"] == "ended"
    assert said.document["findings"] == []
    run = said.document["run"]["name"]
    scores = laststep("scores", run, "--json")
    assert scores.code == 0, scores.stdout
    entry = scores.document["runs"][0]
    assert {score["step"]: score["standing"] for score in entry["scores"]} == {0: ["not-final"], 2: ["valid"]}


def test_without_hooks_a_healthy_run_shows_the_same_steps_and_scores(own_folders: Path) -> None:
    said = demo("--no-hooks")
    assert said.code == 0, said.stderr
    scores = laststep("scores", said.document["run"]["name"], "--json").document["runs"][0]["scores"]
    assert [score["step"] for score in scores] == [0, 2]
