"""Bad input on the command line: one clear sentence with the cure, the exit code, nothing lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ray_head import RayHead
from tests.end_to_end.command import LASTSTEP, environment, laststep, unwatched_demo

pytestmark = [pytest.mark.real, pytest.mark.torch]


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    """One idle Ray for the calls that only look."""
    with RayHead.start(num_cpus=2) as started:
        yield started


def kill_raylet(folder: Path) -> None:
    """kill -9 of the raylet of this test's Ray, known by the folder in its environment."""
    killed = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            is_raylet = entry.name.isdigit() and b"raylet/raylet" in (entry / "cmdline").read_bytes()
            if is_raylet and str(folder).encode() in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                killed += 1
    assert killed == 1


def assert_one_sentence(stderr: str) -> None:
    """A sentence and its cure, no traceback."""
    assert "Traceback" not in stderr
    said = [line for line in stderr.splitlines() if line.startswith("laststep: ")]
    assert len(said) == 1, stderr
    assert stderr.splitlines()[stderr.splitlines().index(said[0]) + 1].startswith("          "), "the cure follows"


def test_no_ray_at_that_address_is_nothing_to_attach_to() -> None:
    said = laststep("status", "--ray", "127.0.0.1:1")
    assert said.code == 3
    assert_one_sentence(said.stderr)


def test_a_ray_without_a_training_run_is_nothing_to_attach_to(head: RayHead) -> None:
    said = laststep("watch", "--ray", head.address)
    assert said.code == 3
    assert_one_sentence(said.stderr)


def test_a_wrong_token_is_named_by_where_it_came_from_and_never_shown(head: RayHead) -> None:
    said = laststep("dump", "--ray", head.address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="wrong" * 16)
    assert said.code == 3
    assert_one_sentence(said.stderr)
    assert "RAY_AUTH_TOKEN" in said.stderr
    assert "wrongwrong" not in said.stderr


def test_a_run_that_the_ledger_does_not_know_is_one_sentence() -> None:
    said = laststep("rerun", "nosuch-20200101", "--dry-run")
    assert said.code in (2, 3)
    assert_one_sentence(said.stderr)
    assert "nosuch-20200101" in said.stderr


def test_a_corrupt_ledger_is_set_aside_and_a_new_one_begun(own_folders: Path) -> None:
    state = own_folders / "state" / "laststep"
    state.mkdir(parents=True, mode=0o700)
    (state / "ledger.sqlite").write_bytes(b"this is no ledger" * 1000)
    said = laststep("rerun", "anything", "--dry-run")
    assert said.code in (2, 3)
    kept = list(state.glob("ledger.sqlite.corrupt-*"))
    assert len(kept) == 1
    assert kept[0].read_bytes().startswith(b"this is no ledger")
    assert "corrupt" in said.stderr


def test_a_hostile_bundle_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text('{"schema": 1, "snapshots": ["../../etc/passwd"]}')
    said = laststep("replay", str(tmp_path))
    assert said.code == 2
    assert_one_sentence(said.stderr)


def test_a_ray_that_dies_while_watched_ends_the_run_in_the_ledger_and_not_the_watch_in_a_traceback(
    own_folders: Path,
) -> None:
    watch_log = own_folders / "watch.log"
    with unwatched_demo(own_folders, steps=20) as (_, address):
        with watch_log.open("wb") as log:
            words = [*LASTSTEP, "watch", "--ray", address, "--wait", "90"]
            watch = subprocess.Popen(words, env=environment(), stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while "update_actor" not in watch_log.read_text():
                assert time.monotonic() < deadline and watch.poll() is None, watch_log.read_text()
                time.sleep(0.2)
            kill_raylet(own_folders)
            assert watch.wait(timeout=120) in (0, 10)
        finally:
            if watch.poll() is None:
                watch.terminate()
                watch.wait(timeout=60)
    assert "Traceback" not in watch_log.read_text()
    entry = laststep("scores", "--json").document["runs"][0]
    assert entry["ended_at"] is not None
    assert entry["standing"] == ["missing-final"]


def test_a_folder_that_shadows_ours_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "quant").mkdir()
    (tmp_path / "quant" / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    said = laststep("doctor", cwd=tmp_path)
    assert "quant" in said.stdout
    assert "shadow" in said.stdout
