"""Completion, asked of the real shells: what Tab would offer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import cli
from tests.commands.test_cli import laststep


@pytest.fixture
def shell_folder(tmp_path: Path) -> Path:
    """A folder with a `laststep` for PATH and the three scripts."""
    root = Path(__file__).resolve().parents[2]
    command = tmp_path / "laststep"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -m monitor.cli "$@"\n')
    command.chmod(0o755)
    for shell in ("bash", "zsh", "fish"):
        shown = laststep("completion", shell)
        assert shown.returncode == 0, shown.stderr
        (tmp_path / f"laststep.{shell}").write_text(shown.stdout)
    return tmp_path


def bash_offers(folder: Path, *words: str) -> set[str]:
    line = " ".join(f"'{word}'" for word in ("laststep", *words))
    script = f"source {folder}/laststep.bash; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _laststep; "
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--norc", "-uc", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)},
        cwd=folder,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


def test_bash_offers_calls_options_and_fixed_words(shell_folder: Path) -> None:
    assert bash_offers(shell_folder, "") >= set(cli.CALLS)
    assert bash_offers(shell_folder, "sta") == {"status"}
    assert bash_offers(shell_folder, "watch", "--on") == {"--once", "--on-finding"}
    assert bash_offers(shell_folder, "completion", "") >= {"bash", "zsh", "fish"}
    assert bash_offers(shell_folder, "--read-only", "--r") == {"--read-only", "--run"}


def test_bash_offers_files_where_a_file_is_asked(shell_folder: Path) -> None:
    assert "laststep.fish" in bash_offers(shell_folder, "check", "laststep.f")


def test_bash_offers_the_runs_of_the_ledger(shell_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from monitor.ledger.store import Ledger
    from tests.tui import examples

    state = shell_folder / ".local" / "state" / "laststep"
    state.mkdir(parents=True, mode=0o700)
    with Ledger.open(state / "ledger.sqlite") as ledger:
        ledger.save_run(examples.state())
    assert bash_offers(shell_folder, "scores", "grpo") == {examples.RUN}
    assert bash_offers(shell_folder, "--run", "grpo") == {examples.RUN}


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_offers_calls_and_options(shell_folder: Path) -> None:
    def offers(line: str) -> str:
        words = ["fish", "--no-config", "-c", f'source {shell_folder}/laststep.fish; complete -C "{line}"']
        return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout

    assert offers("laststep sta").startswith("status\t")
    assert "--on-finding" in offers("laststep watch --on")
    assert "zsh" in offers("laststep completion ")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_a_call_in_a_real_terminal(shell_folder: Path) -> None:
    from tests.pty.terminal import Terminal

    path = {"PATH": f"{shell_folder}:/usr/bin:/bin", "HOME": str(shell_folder), "PS1": "ready> "}
    with Terminal(["zsh", "-f", "-i"], environment=path, directory=str(shell_folder)) as terminal:
        terminal.wait_for("ready>")
        terminal.send("autoload -Uz compinit; compinit -u; source ./laststep.zsh; clear; print loa'ded'\r")
        terminal.wait_for("loaded")
        terminal.send("laststep sta\t")
        terminal.wait_for("laststep status")
        terminal.send("\x15laststep watch --on-f\t")
        terminal.wait_for("laststep watch --on-finding")


def test_an_unknown_shell_is_a_usage_error_that_names_the_known() -> None:
    shown = laststep("completion", "tcsh")
    assert shown.returncode == 2
    assert "bash" in shown.stderr
