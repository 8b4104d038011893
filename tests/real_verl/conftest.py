"""Each real run is played once a session, in a child process, and serves many tests."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def played() -> Iterator[Callable[..., Played]]:
    """`played("legacy")`, `played("v1")`, `played("legacy", "--quiet")`: the run, started at the first call."""
    known: dict[tuple[str, ...], Played] = {}
    # Below /tmp: sockets need short paths.
    with tempfile.TemporaryDirectory(prefix="lsr", dir="/tmp", ignore_cleanup_errors=True) as place:

        def once(*words: str) -> Played:
            if words not in known:
                folder = Path(place) / "-".join(word.strip("-") for word in words)
                command = [sys.executable, "-m", "tests.real_verl.play", words[0], str(folder), *words[1:]]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
                assert done.returncode == 0, done.stderr[-6000:]
                known[words] = Played(json.loads((folder / "seen.json").read_text()), folder / "run")
            return known[words]

        yield once
