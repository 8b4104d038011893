"""The dashboard on a disk that is truly full: it shows all that it knew, says what can't be written, leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the screens of a dashboard on the small disk showed."""
    namespace = ["unshare", "--map-root-user", "--mount"]
    can = (
        shutil.which("unshare") is not None
        and subprocess.run([*namespace, "true"], capture_output=True).returncode == 0
    )
    if not can:
        pytest.skip("this machine lets us make no mount namespace, so no small disk")
    folder = tmp_path_factory.mktemp("disk")
    words = [*namespace, sys.executable, "-m", "tests.tui.full_disk", str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(words, capture_output=True, text=True, env=environ, timeout=120)
    assert done.returncode == 0, done.stderr
    document: dict[str, str] = json.loads(done.stdout)
    return document


def test_the_run_and_its_log_are_shown_as_on_any_disk(shown: dict[str, str]) -> None:
    assert "step 29/29" in shown["run"] and "131/256 samples" in shown["run"]
    assert "2 lines, follows" in shown["log"] and "first line" in shown["log"]


def test_a_screen_that_cannot_be_saved_is_said_and_leaves_no_half_file(shown: dict[str, str]) -> None:
    assert "Not saved: " in shown["save"] and "No space left on device" in shown["save"]
    assert [path for path in shown["left"] if path.endswith((".svg", ".txt"))] == []


def test_a_rerun_is_refused_with_the_reason_and_the_cure_and_the_dashboard_goes_on(shown: dict[str, str]) -> None:
    assert "ledger.sqlite is full" in shown["rerun"]
    assert "free space on that disk" in shown["rerun"]
    assert "131/256 samples" in shown["after"]
