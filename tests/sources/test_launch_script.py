"""Launch scripts and configurations as settings: what a shell would do to the words, and what stays unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.sources.launch_script import UnreadableLaunch, read_launch, read_script


def _given(text: str) -> dict[str, object]:
    return read_script("s.sh", text).given


def test_continued_quoted_and_marked_overrides_are_read() -> None:
    text = (
        "python3 -m verl.trainer.main_ppo \\\n trainer.test_freq=5 \\\n '+trainer.logger=[console,file]' ++a.b=1e-3\n"
    )
    settings = read_script("s.sh", text)
    assert settings.entry == "verl.trainer.main_ppo" and settings.line == 1
    assert settings.given == {"trainer.test_freq": 5, "trainer.logger": ["console", "file"], "a.b": "1e-3"}


def test_the_last_word_on_a_key_counts() -> None:
    assert _given("python -m verl.trainer.main_ppo trainer.test_freq=5 trainer.test_freq=-1") == {
        "trainer.test_freq": -1
    }


def test_a_removed_key_is_gone() -> None:
    assert _given("python -m verl.trainer.main_ppo trainer.test_freq=5 ~trainer.test_freq") == {}


def test_variables_of_the_script_and_defaults_are_put_in() -> None:
    text = "FREQ=7\nexport ROOT='/logs'\npython -m verl.trainer.main_ppo trainer.test_freq=$FREQ trainer.x=${N:-3}"
    settings = read_script("s.sh", text)
    assert settings.given == {"trainer.test_freq": 7, "trainer.x": 3}
    assert settings.environment == {"ROOT": "/logs"} and not settings.unresolved


def test_a_variable_nobody_sets_leaves_its_key_unknown() -> None:
    settings = read_script("s.sh", "python -m verl.trainer.main_ppo trainer.test_freq=$1")
    assert settings.unresolved == {"trainer.test_freq"}
    assert settings.known("trainer.test_freq", -1) is None


def test_commented_lines_say_nothing() -> None:
    text = "# python -m verl.trainer.main_ppo trainer.test_freq=5\npython -m verl.trainer.main_ppo a.c=2 # a.b=1"
    assert _given(text) == {"a.c": 2}


def test_a_comment_inside_a_command_ends_it_and_what_follows_is_not_given_to_the_trainer() -> None:
    assert _given("python -m verl.trainer.main_ppo a.b=1 \\\n# a.c=2 \\\n a.d=3") == {"a.b": 1}


def test_a_configuration_of_its_own_hides_the_defaults() -> None:
    settings = read_script("s.sh", "python -m verl.trainer.main_ppo --config-name mine trainer.x=1")
    assert settings.other_configuration == "mine"
    assert settings.known("trainer.test_freq", -1) is None


def test_the_last_command_that_starts_a_trainer_is_meant() -> None:
    text = (
        "ray start --head\npython -m verl.trainer.main_ppo trainer.a=1\npython -m verl.trainer.main_ppo trainer.a=2\nls"
    )
    assert read_script("s.sh", text).line == 3


def test_a_resolved_configuration_is_read_by_its_dotted_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("trainer:\n  test_freq: 5\n  nested: {deep: [1]}\n")
    assert read_launch(path).known("trainer.nested.deep") == [1]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("s.sh", b"echo hello\n", "starts no trainer"),
        ("c.yaml", b"a: [1\n", "can't be parsed"),
        ("c.yaml", b"a: 1\n", "no section `trainer`"),
        ("c.json", b"[]", "no section `trainer`"),
        ("s.sh", b"\xff\xfe", "no text in UTF-8"),
    ],
)
def test_what_is_no_launch_is_said_in_one_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableLaunch, match=says):
        read_launch(tmp_path / name)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UnreadableLaunch, match="No such file"):
        read_launch(Path("/nowhere/run.sh"))
