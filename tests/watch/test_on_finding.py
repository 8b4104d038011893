"""`--on-finding CMD`: told once, with the JSON on stdin, under a deadline; its failure disturbs nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from monitor.watch.on_finding import FindingCommand


def wait_for(path: Path, seconds: float = 20.0) -> None:
    """Until the file is there and whole; generous, since machines are busy."""
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_the_command_gets_the_finding_as_json_on_its_stdin(tmp_path: Path) -> None:
    out = tmp_path / "told"
    command = FindingCommand(f"cat > {out}.part && mv {out}.part {out}", deadline_seconds=20)
    command.tell({"event": "new", "finding": {"class": "self-get"}})
    wait_for(out)
    assert json.loads(out.read_text())["finding"]["class"] == "self-get"


def test_telling_returns_before_the_command_has_ended(tmp_path: Path) -> None:
    release = tmp_path / "release"
    out = tmp_path / "done"
    command = FindingCommand(f"while [ ! -e {release} ]; do sleep 0.05; done; echo x > {out}", deadline_seconds=20)
    command.tell({})
    assert not out.exists()
    release.touch()
    wait_for(out)


def test_a_command_that_hangs_is_killed_with_its_children_at_the_deadline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pid_file = tmp_path / "pid"
    command = FindingCommand(f"sleep 600 & echo $! > {pid_file}; wait", deadline_seconds=0.5)
    command.tell({})
    wait_for(pid_file)
    command.finish()
    child = int(pid_file.read_text())
    stat = Path(f"/proc/{child}/stat")
    deadline = time.monotonic() + 10
    while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not stat.exists() or stat.read_text().split()[2] == "Z"
    assert "was ended after" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["exit 3", "/no/such/program", "exec <&-; sleep 0.1"])
def test_a_command_that_fails_disturbs_nothing(words: str) -> None:
    command = FindingCommand(words, deadline_seconds=5)
    command.tell({"x": "y" * 200_000})
    command.finish()
