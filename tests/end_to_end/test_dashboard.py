"""The main job in a real terminal: the hang is seen on the screen, its missing score is filled from there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.command import LASTSTEP, environment, laststep, processes_of
from tests.pty.terminal import ENTER, Terminal

pytestmark = [pytest.mark.real, pytest.mark.torch]

PATIENCE_SECONDS = 180.0


def test_the_hang_is_seen_and_the_missing_score_is_filled_from_the_dashboard(own_folders: Path) -> None:
    command = [*LASTSTEP, "demo", "--hang", "control-queue", "--steps", "2"]
    with Terminal(command, rows=24, columns=80, environment=environment()) as terminal:
        terminal.wait_for("control-queue", PATIENCE_SECONDS)
        terminal.send("2")
        terminal.wait_for("rollout.py", PATIENCE_SECONDS)
        terminal.send("r")
        terminal.wait_for("type the run's name", PATIENCE_SECONDS)
        terminal.send(ENTER)
        terminal.pump(1.0)
        run = laststep("scores", "--json").document["runs"][0]
        assert run["standing"] == ["missing-final"], "Enter alone launches nothing"
        assert re.fullmatch(r"[\w-]+-\d{8}T\d{6}Z", run["name"])
        terminal.send(run["name"] + ENTER)
        terminal.wait_until(
            lambda: any("valid" in row and "acc" in row for row in terminal.lines()),
            "showed the valid score",
            PATIENCE_SECONDS,
        )
        terminal.send("q")
        assert terminal.wait_exit(PATIENCE_SECONDS) == 0
        assert terminal.restored()
    scores = laststep("scores", run["name"], "--json")
    assert scores.code == 0
    assert scores.document["runs"][0]["scores"][-1]["standing"] == ["valid"]
    assert processes_of(own_folders) == []
