"""Trainer profiles: those that ship load, a bad one is refused by name, a job is matched to its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.settings import BadConfig, UnknownKey
from monitor.sources.trainer_profile import UnknownTrainer, load_profile, match_profile, profile_names, read_profile


def test_every_profile_that_ships_loads() -> None:
    assert {"demo", "verl"} <= set(profile_names())
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.testing_phase in profile.phases and profile.save_phase in profile.phases


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownTrainer) as refusal:
        load_profile("../verl")
    assert "demo, " in refusal.value.HELP_TEXT and ", verl, " in refusal.value.HELP_TEXT


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("entry_points: []", UnknownKey, "unknown key `entry_points`"),
        ("checkpoints: {foldr: x}", UnknownKey, "checkpoints: unknown key `foldr`"),
        ("checkpoints: {folder: 'ckpt-(.+)'}", BadConfig, "`folder` names no step"),
        ("console:\n  steps: x", UnknownKey, "unknown key `steps`"),
        ("console:\n  step: '('", BadConfig, "no regular expression"),
        ("moving_calls: ['[']", BadConfig, "no regular expression"),
        ("phases: gen", BadConfig, "expected a list"),
    ],
)
def test_a_bad_profile_is_refused_by_name(tmp_path: Path, text: str, error: type[BadConfig], words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(error, match=words):
        read_profile(path)


def test_a_job_is_matched_by_its_entry_point_then_by_its_actors() -> None:
    assert match_profile([], "python -m monitor.demo.driver --out x").name == "demo"
    assert match_profile(["RolloutServer"], "python3 -m verl.trainer.main_ppo a=b").name == "verl"
    assert match_profile(["TaskRunner", "vLLMHttpServer", "AgentLoopWorker"], "bash run.sh").name == "verl"
    assert match_profile(["TaskRunner", "RolloutServer", "WorkerDict"], "bash run.sh").name == "demo"
    assert match_profile(["Other"], "bash run.sh").name == "verl"


def test_roles_are_of_whole_class_names() -> None:
    profile = load_profile("verl")
    assert profile.role_of("vLLMHttpServer") == "rollout"
    assert profile.role_of("xyzWorkerDict") == "train-worker"
    assert profile.role_of("MyTaskRunnerHelperThing2") == "other"
    assert profile.child_role_of("VLLM::EngineCore") == "rollout"
    assert profile.is_trainer_actor("TaskRunnerV1") and not profile.is_trainer_actor("NoTaskRunner")


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a team's own profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "laststep" / "trainers"
    folder.mkdir(parents=True)
    return folder


def test_a_forks_profile_says_only_what_differs(team: Path) -> None:
    (team / "our_fork.yaml").write_text("extends: verl\nconsole:\n  save_begin: '^saving (?P<step>\\d+)'\n")
    ours, verl = load_profile("our_fork"), load_profile("verl")
    assert ours.console.save_begin == r"^saving (?P<step>\d+)" and ours.console.step == verl.console.step
    assert ours.roles == verl.roles


def test_a_teams_profile_goes_before_those_that_ship(team: Path) -> None:
    (team / "our_fork.yaml").write_text("extends: verl\n")
    assert match_profile(("TaskRunner",), "python -m verl.trainer.main_ppo").name == "our_fork"


def test_a_profile_that_extends_nothing_there_is_is_refused(team: Path) -> None:
    (team / "lost.yaml").write_text("extends: verll\n")
    with pytest.raises(BadConfig, match="it extends `verll`"):
        load_profile("lost")
