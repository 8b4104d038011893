"""What one run of one program is worth, and a file that keeps such scores, one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.diagnosis.peers import Named
from tests.faults.faults import Fault
from tests.faults.harness import Outcome


@dataclass(frozen=True)
class Score:
    """One program with one seed."""

    script: str
    part: str
    seed: int
    hang_class: str
    """Of the first finding; empty where there is none."""
    proved: bool
    due: bool
    """A proof is due."""
    right_class: bool
    right_process: bool
    right_line: bool | None
    """None: the fault has no line."""
    confidently_wrong: bool
    seconds: float
    reasons: tuple[str, ...]
    """Why nothing is proved, in the verdict's words."""
    peers: dict[str, dict[str, bool]]
    """Peer, then `process`, `line`, `cause`: named or not."""

    @classmethod
    def of(cls, fault: Fault, part: str, seed: int, outcome: Outcome, named: Mapping[str, Named]) -> Score:
        """The score of an outcome."""
        top = outcome.top
        wrong = outcome.wrong or any(item.hang_class not in fault.classes for item in outcome.verdict.findings)
        line = top is not None and top.file == str(outcome.script) and top.line in outcome.lines
        return cls(
            fault.script,
            part,
            seed,
            top.hang_class if top is not None else "",
            top is not None and top.proved,
            fault.proved,
            top is not None and top.hang_class in fault.classes,
            top is not None and top.culprit.pid in outcome.culprits,
            line if outcome.lines else None,
            wrong,
            outcome.seconds,
            outcome.verdict.reasons,
            {peer: asdict(name) for peer, name in named.items()},
        )


class Scores:
    """Scores by program and seed, kept in a file where one is given."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.all: list[Score] = []
        if path is not None and path.exists():
            self.all = [Score(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        self._known = {(score.script, score.seed) for score in self.all}

    def has(self, script: str, seed: int) -> bool:
        """It was run already."""
        return (script, seed) in self._known

    def add(self, score: Score) -> None:
        """Keep it."""
        self.all.append(score)
        self._known.add((score.script, score.seed))
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(score)) + "\n")
