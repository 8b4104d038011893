"""Each real run is played once a session, in a child process, and serves many tests."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1500


@dataclass(frozen=True)
class Played:
    """A run that ended: what its observers said, and its folder."""

    seen: dict[str, Any]
    run: Path

    def records(self) -> list[dict[str, Any]]:
        """The lines of the run's own metrics file."""
        (path,) = (self.run / "metrics").rglob("*.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def validation(self, step: int) -> list[dict[str, Any]]:
        """Input, output and score of the rows that a validation dumped, in the order of their inputs."""
        text = (self.run / "validation" / f"{step}.jsonl").read_text(encoding="utf-8")
        rows = [{key: row[key] for key in ("input", "output", "score")} for row in map(json.loads, text.splitlines())]
        return sorted(rows, key=lambda row: str(row["input"]))

    def files(self) -> set[str]:
        """What lies in the folders that the trainer writes."""
        folders = (self.run / name for name in ("checkpoints", "validation", "rollout", "metrics"))
        return {str(path.relative_to(self.run)) for folder in folders for path in folder.rglob("*")}


RUNS = (("legacy",), ("v1",), ("legacy", "--quiet"), ("v1", "--quiet"))
"""Words of each run, the longest first."""
UNWATCHED = "unwatched"
"""Stands in the name of a test that needs the quiet run too."""
AT_ONCE = 2
"""A run waits for most of its time, and holds 7 GB."""


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest) -> Iterator[Callable[..., Played]]:
    """`played("legacy")`, `played("v1", "--quiet")`: the run, once it has ended.

    The runs that the chosen tests need are started at the first call, side by side.
    """
    started: dict[tuple[str, ...], Future[Played]] = {}
    ids = [item.nodeid for item in request.session.items]
    # Below /tmp: sockets need short paths.
    with (
        tempfile.TemporaryDirectory(prefix="lsr", dir="/tmp", ignore_cleanup_errors=True) as place,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):

        def ended(*words: str) -> Played:
            wanted = [
                run for run in RUNS if any(run[0] in name and (len(run) == 1 or UNWATCHED in name) for name in ids)
            ]
            for one in [*wanted, words]:
                if one not in started:
                    started[one] = pool.submit(_play, Path(place), one)
            return started[words].result()

        yield ended


def _play(place: Path, words: tuple[str, ...]) -> Played:
    folder = place / "-".join(word.strip("-") for word in words)
    command = [sys.executable, "-m", "tests.real_verl.play", words[0], str(folder), *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-6000:]
    return Played(json.loads((folder / "seen.json").read_text()), folder / "run")
