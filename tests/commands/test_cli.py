"""The command line: help is light, every error is a sentence with a cure, exit codes are those of the enum."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import cli
from monitor.model.errors import ExitCode, LaststepError


def laststep(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without a terminal."""
    root = Path(__file__).resolve().parents[2]
    code = "import sys; from monitor.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
    )


def test_help_names_every_call_and_the_exit_codes() -> None:
    shown = laststep("--help")
    assert shown.returncode == 0
    for call in cli.CALLS:
        assert call in shown.stdout
    assert "11 hang" in shown.stdout


def test_help_imports_nothing_heavy() -> None:
    root = Path(__file__).resolve().parents[2]
    code = (
        "import sys\nfrom monitor import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    loaded = set(ran.stderr.split())
    assert not loaded & {"ray", "torch", "textual", "rich", "psutil", "yaml", "sqlite3", "pynvml", "aiohttp"}


@pytest.mark.parametrize("call", sorted(cli.CALLS))
def test_every_call_has_help_of_its_own(call: str) -> None:
    shown = laststep(call, "--help")
    assert shown.returncode == 0
    assert call in shown.stdout


def test_without_a_terminal_the_dashboard_says_so_and_points_to_watch_and_status() -> None:
    shown = laststep()
    assert shown.returncode == ExitCode.USAGE
    assert "no terminal" in shown.stderr
    assert "laststep watch" in shown.stderr
    assert "laststep status" in shown.stderr
    assert shown.stdout == ""


def test_an_unknown_call_is_a_usage_error() -> None:
    assert laststep("dance").returncode == ExitCode.USAGE


def test_an_error_a_person_can_mend_is_one_sentence_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import monitor.commands.doctor

    class Lost(LaststepError):
        HELP_TEXT = "look behind the sofa"
        exit_code = ExitCode.NOTHING_TO_ATTACH

    def run(arguments: object) -> int:
        raise Lost("the run is lost")

    monkeypatch.setattr(monitor.commands.doctor, "run", run)
    assert cli.main(["doctor"]) == ExitCode.NOTHING_TO_ATTACH
    said = capsys.readouterr().err
    assert "the run is lost" in said
    assert "look behind the sofa" in said
    assert "Traceback" not in said


def test_an_unknown_setting_stops_the_watch_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "laststep").mkdir()
    (tmp_path / "laststep" / "monitor.yaml").write_text("tick_secnods: 1\n")
    shown = laststep("watch", XDG_CONFIG_HOME=str(tmp_path))
    assert shown.returncode == ExitCode.USAGE
    assert "tick_secnods" in shown.stderr
    assert "tick_seconds" in shown.stderr
