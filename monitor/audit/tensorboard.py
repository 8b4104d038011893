"""Scalars of a TensorBoard event file, read without TensorFlow.

Source: TFRecord framing (length as uint64, masked CRC of it, data, masked CRC), `tensorflow/core/util/event.proto`
(wall_time 1, step 2, summary 5) and `summary.proto` (value 1; tag 1, simple_value 2, tensor 8; tensor_content 4,
float_val 5, double_val 6). CRCs are not checked: a cut record ends the reading, a damaged one is left out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from monitor.audit.byte_stream import open_regular
from monitor.audit.protobuf import BadMessage, fields, number_of
from monitor.audit.rules import AuditRules
from monitor.audit.trace import SeenScore, Trace
from monitor.model.audit import AuditEvidence, FileProblem

_CLEANED = re.compile(r"/(mean|std|best|worst|maj)_(\d+)(?=/|$)")
"""The writer puts `_` for the `@` of a metric's name."""
LONGEST_RECORD = 64 << 20


def read_events(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace of the file; the run's name is its folder's. Raises `NotText` where it can't be opened."""
    trace = Trace("tensorboard", str(path), path.parent.name)
    damaged = 0
    first = None
    for record in _records(path):
        try:
            at, step, scalars = _event(record)
        except (BadMessage, struct.error):
            damaged += 1
            continue
        first = at if first is None else first
        for tag, value in scalars:
            _put(trace, rules, step, tag, value)
    trace.started_at = first
    problems = []
    if damaged:
        problems.append(FileProblem(str(path), f"{damaged} records are damaged: left out"))
    return ([trace] if trace.tells else []), problems


def _put(trace: Trace, rules: AuditRules, step: int, tag: str, value: float) -> None:
    trace.last_step = max(step, trace.last_step or 0)
    trace.first_step = min(step, trace.first_step if trace.first_step is not None else step)
    if tag == "timing_s/step":
        trace.step_seconds.append(value)
    elif rules.score_pattern.search(tag):
        seen = AuditEvidence(f"{tag} = {value:.6g} at step {step}", trace.file)
        trace.scores.append(SeenScore(step, tag, round(value, 6), seen))


def _records(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while True:
            header = file.read(12)
            if len(header) < 12:
                return
            (size,) = struct.unpack("<Q", header[:8])
            if size > LONGEST_RECORD:
                return
            data = file.read(size)
            if len(data) < size or len(file.read(4)) < 4:
                return
            yield data


def _event(record: bytes) -> tuple[float, int, list[tuple[str, float]]]:
    at, step = 0.0, 0
    scalars: list[tuple[str, float]] = []
    for number, wire, value in fields(record):
        if number == 1:
            at = number_of(wire, value)
        elif number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            for inner, _, item in fields(value):
                if inner == 1 and isinstance(item, bytes) and (scalar := _scalar(item)) is not None:
                    scalars.append(scalar)
    return at, step, scalars


def _scalar(message: bytes) -> tuple[str, float] | None:
    tag, found = "", None
    for number, wire, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            tag = _CLEANED.sub(r"/\1@\2", value.decode("utf-8", "replace"))
        elif number == 2:
            found = number_of(wire, value)
        elif number == 8 and isinstance(value, bytes):
            found = _tensor(value)
    return None if found is None else (tag, found)


def _tensor(message: bytes) -> float | None:
    """The first number of a tensor that holds one."""
    for number, wire, value in fields(message):
        if number in (5, 6) and isinstance(value, bytes):
            if wire in (1, 5):
                return number_of(wire, value)
            return float(struct.unpack("<f" if number == 5 else "<d", value[: 4 if number == 5 else 8])[0])
        if number == 4 and isinstance(value, bytes) and len(value) in (4, 8):
            return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
    return None
