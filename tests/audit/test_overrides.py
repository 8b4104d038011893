"""Overrides out of shell text: words are read, nothing is run."""

from __future__ import annotations

from monitor.audit.overrides import read_command, script_commands

SCRIPT = """\
#!/usr/bin/env bash
# trainer.test_freq=999 is only spoken of here
set -x
STEPS=29
python3 -m verl.trainer.main_ppo \\
    trainer.total_training_steps=$STEPS trainer.test_freq=${FREQ:-20} \\
    +quant.exclude='[lm_head,embed_tokens]' data.val_files=$HOME/test.parquet "$@"
"""


def test_continued_lines_are_one_command_with_the_number_of_its_first_line() -> None:
    (command,) = script_commands(SCRIPT)
    assert (command.entry, command.line) == ("verl.trainer.main_ppo", 5)


def test_a_variable_that_the_script_sets_is_put_in_and_another_stays() -> None:
    (command,) = script_commands(SCRIPT)
    assert command.overrides["trainer.total_training_steps"] == "29"
    assert command.overrides["trainer.test_freq"] == "20"
    assert command.overrides["data.val_files"] == "$HOME/test.parquet"


def test_quotes_and_marks_are_no_part_of_key_or_value() -> None:
    (command,) = script_commands(SCRIPT)
    assert command.overrides["quant.exclude"] == "[lm_head,embed_tokens]"


def test_an_override_in_a_comment_is_none() -> None:
    (command,) = script_commands(SCRIPT)
    assert "999" not in command.overrides.values()


def test_a_key_taken_away_is_said() -> None:
    assert read_command("python -m x ~quant a.b=1").removed == ("quant",)


def test_quotes_that_never_close_lose_no_override() -> None:
    assert read_command("python -m x trainer.test_freq=5 a.b='oops").overrides["trainer.test_freq"] == "5"


def test_a_command_substitution_is_text() -> None:
    command = read_command("python -m x trainer.experiment_name=$(touch /nowhere/owned)")
    assert command.overrides["trainer.experiment_name"].startswith("$(touch")
