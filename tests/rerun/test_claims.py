"""A rerun whose process died ends as failed when next looked at, and what it left is removed; others are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.rerun import claims
from monitor.rerun.environment import RERUN_VARIABLE
from monitor.rerun.follow import watch_rerun

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(300)"]


@pytest.fixture
def ledger(own_folders: Path) -> Iterator[Ledger]:
    """A ledger of the test's own."""
    with Ledger.open() as opened:
        yield opened


def sleeping(**variables: str) -> subprocess.Popen[bytes]:
    """A process that is up, with these variables in its environment."""
    process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, env={**os.environ, **variables})
    assert process.stdout is not None
    process.stdout.readline()
    return process


def claimed_by_the_dead(ledger: Ledger, directory: Path) -> str:
    """A rerun under way whose process is gone."""
    holder = sleeping()
    identity = ledger.claim_rerun("run", 4, "mxfp4_w4a4", holder.pid)
    ledger.update_rerun(identity, status="running", directory=str(directory))
    holder.kill()
    holder.wait()
    return identity


def test_a_rerun_of_a_live_process_is_under_way_and_left_alone(ledger: Ledger) -> None:
    identity = ledger.claim_rerun("run", 4, "mxfp4_w4a4", os.getpid())
    claims.settle(ledger)
    assert ledger.rerun(identity).status == "claimed"
    assert claims.under_way(ledger, "run", 4, "mxfp4_w4a4") == (f"{identity} (pid {os.getpid()})",)
    assert claims.under_way(ledger, "run", 4, "bf16") == ()
    assert claims.under_way(ledger, "run", 2, "mxfp4_w4a4") == ()


def test_a_dead_reruns_processes_and_ray_folder_go_and_nothing_else(ledger: Ledger, tmp_path: Path) -> None:
    identity = claimed_by_the_dead(ledger, tmp_path)
    left, stranger = sleeping(**{RERUN_VARIABLE: str(tmp_path)}), sleeping(**{RERUN_VARIABLE: f"{tmp_path}-other"})
    ray_folder = Path(tempfile.mkdtemp(prefix=claims.FOLDER_PREFIX, dir=claims.FOLDER_PARENT))
    (ray_folder / "session").mkdir()
    (tmp_path / claims.FOLDER_NOTE).write_text(str(ray_folder))
    try:
        claims.settle(ledger)
        left.wait(30)
        assert stranger.poll() is None
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()
    assert not ray_folder.exists()
    row = ledger.rerun(identity)
    assert row.status == "failed"
    assert "ended without a word" in row.error
    assert claims.under_way(ledger, "run", 4, "mxfp4_w4a4") == ()


@pytest.mark.parametrize("name", ["precious", "lsr-linked"])
def test_a_note_that_names_another_folder_deletes_nothing(ledger: Ledger, tmp_path: Path, name: str) -> None:
    kept = tmp_path / name
    kept.mkdir()
    claimed_by_the_dead(ledger, tmp_path)
    (tmp_path / claims.FOLDER_NOTE).write_text(str(kept))
    claims.settle(ledger)
    assert kept.is_dir()


def test_a_ledger_that_is_only_read_still_shows_a_dead_rerun_as_failed(ledger: Ledger, tmp_path: Path) -> None:
    identity = claimed_by_the_dead(ledger, tmp_path)
    with Ledger.open(ledger.path, read_only=True) as reading:
        rows = list(watch_rerun(reading, identity))
    assert [row.status for row in rows] == ["failed"]
    assert ledger.rerun(identity).status == "running"


def test_following_ends_with_the_rerun(ledger: Ledger) -> None:
    identity = ledger.claim_rerun("run", 4, "mxfp4_w4a4", os.getpid())
    following = watch_rerun(ledger, identity, poll=0.01)
    assert next(following).status == "claimed"
    ledger.update_rerun(identity, done=16, total=40)
    assert next(following).done == 16
    ledger.update_rerun(identity, status="cancelled")
    assert [row.status for row in following] == ["cancelled"]
