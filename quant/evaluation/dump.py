"""What an evaluation leaves on disk: the dump, whole or not at all, and the segments of one that isn't done yet.

A line has verl's keys (`input`, `output`, `gts`, `score`, `step`), the uid and the log-probability; sampled ones also
the attempt and its seed. Covers no scoring. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from quant.errors import EvaluationError
from quant.evaluation.records import EvaluationRequest, Generation, Sample


def line(sample: Sample, generation: Generation, score: float, step: int) -> dict[str, Any]:
    """One line of the dump."""
    plain = {
        "input": sample.input if generation.prompt is None else generation.prompt,
        "output": generation.output,
        "gts": sample.ground_truth,
        "score": score,
        "step": step,
        "log_probability": generation.log_probability,
        "uid": sample.uid,
    }
    return plain if sample.seed is None else {**plain, "attempt": sample.attempt, "seed": sample.seed}


def write_dump(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Whole or not at all: written beside its place, then renamed into it. Raises `EvaluationError`."""
    _write(path, "".join(_json(each) + "\n" for each in lines))


def _json(document: Any) -> str:
    try:
        return json.dumps(document, ensure_ascii=False)
    except TypeError as error:
        raise EvaluationError(
            f"a sample can't be written as JSON: {error}", "plain values in `ground_truth`"
        ) from error


def _write(path: Path, text: str) -> None:
    beside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        beside = Path(name)  # Made by us alone, so that nothing of anyone else's is ever removed below.
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            with suppress(OSError):
                beside.unlink()
        raise EvaluationError(
            f"can't write the dump {path}: {error.strerror}", "free space or mend the folder"
        ) from error


class Segments:
    """Finished parts of an evaluation, each with its lines and its closed attestation, beside the dump's place.

    An evaluation that is asked for in the very same way goes on after them; any other begins anew.
    """

    def __init__(self, request: EvaluationRequest, fingerprint: str) -> None:
        self.path = request.dump_path.with_name(f".{request.dump_path.name}.segments")
        self._identity = _identity(request, fingerprint)
        self._kept = request.segment_rows is not None
        self.lines: list[dict[str, Any]] = []
        self.documents: list[dict[str, Any]] = []
        if self._kept:
            self._read()

    def _read(self) -> None:
        try:
            records = [json.loads(text) for text in self.path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError):  # None yet, or torn: what can't be read is evaluated again.
            return
        if records and records[0] == {"identity": self._identity}:
            for record in records[1:]:
                self.lines.extend(record["lines"])
                self.documents.append(record["attestation"])

    def add(self, lines: list[dict[str, Any]], document: dict[str, Any]) -> None:
        """A segment is done."""
        first = len(self.lines)
        self.lines.extend(lines)
        self.documents.append(document)
        if not self._kept:
            return
        head = [{"identity": self._identity}] if first == 0 else []
        earlier = "" if first == 0 else self.path.read_text(encoding="utf-8")
        records = [*head, {"lines": lines, "attestation": document}]
        _write(self.path, earlier + "".join(_json(each) + "\n" for each in records))

    def finish(self) -> None:
        """The dump is written: the segments aren't needed any more."""
        if self._kept:
            self.path.unlink(missing_ok=True)


def _identity(request: EvaluationRequest, fingerprint: str) -> str:
    """What must be the same for segments to be one evaluation: weights, data, recipe, sampling."""
    try:
        data = hashlib.sha256(request.validation_file.read_bytes()).hexdigest()
    except OSError as error:
        raise EvaluationError(
            f"can't read the validation set {request.validation_file}: {error.strerror}", "check the path"
        ) from error
    recipe = request.recipe.to_dict() if request.recipe is not None else None
    asked = [fingerprint, data, recipe, vars(request.sampling), request.step, request.metric]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
