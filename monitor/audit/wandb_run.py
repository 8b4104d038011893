"""An offline wandb run: history, configuration and name out of its `.wandb` file, or the last values of its summary.

Source: wandb's `core/pkg/leveldb` (LevelDB's log format: 32 KiB blocks; header of 7 bytes: CRC, length, type) behind a
header of 7 bytes (`:W&B`, magic 0xBEE1, version), and `wandb_internal.proto` (Record: history 2, config 5, run 17).
CRCs are not checked; what is damaged is left out and said.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor.audit.byte_stream import NotText, open_regular
from monitor.audit.line_marks import flatten
from monitor.audit.protobuf import BadMessage, fields, number_of
from monitor.audit.rules import AuditRules
from monitor.audit.trace import SeenScore, Trace
from monitor.model.audit import AuditEvidence, FileProblem
from monitor.sources.step_metrics import number

HEADER = b":W&B"
BLOCK = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
LONGEST_RECORD = 64 << 20
HISTORY, CONFIG, RUN = 2, 5, 17
MOST_SUMMARY_BYTES = 16 << 20


def read_wandb(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """One trace of the file. Raises `NotText` where it is no wandb file."""
    if path.name == "wandb-summary.json":
        return _read_summary(path, rules)
    trace = Trace("wandb", str(path))
    damaged = 0
    for record in _records(path):
        try:
            _record(record, trace, rules)
        except (BadMessage, struct.error):
            damaged += 1
    _name(trace)
    problems = [FileProblem(str(path), f"{damaged} records are damaged: left out")] if damaged else []
    return ([trace] if trace.tells else []), problems


def _name(trace: Trace) -> None:
    trace.name = trace.config.get("trainer.experiment_name") or trace.name or Path(trace.file).stem


def _records(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        if not file.read(7).startswith(HEADER):
            raise NotText("is no wandb file")
        position, parts = 7, bytearray()
        while True:
            room = BLOCK - position % BLOCK
            if room < 7:
                position += len(file.read(room))
                continue
            header = file.read(7)
            if len(header) < 7:
                return
            _, size, kind = struct.unpack("<IHB", header)
            data = file.read(size)
            position += 7 + len(data)
            if len(data) < size or kind > LAST or len(parts) + size > LONGEST_RECORD:
                return
            if kind in (FULL, FIRST):
                parts = bytearray()
            parts += data
            if kind in (FULL, LAST) and parts:
                yield bytes(parts)
                parts = bytearray()


def _record(record: bytes, trace: Trace, rules: AuditRules) -> None:
    for kind, _, value in fields(record):
        if not isinstance(value, bytes):
            continue
        if kind == HISTORY:
            _history(value, trace, rules)
        elif kind == CONFIG:
            _config(value, trace)
        elif kind == RUN:
            for inner, _, item in fields(value):
                if inner == 4 and isinstance(item, bytes):
                    _config(item, trace)
                elif inner == 8 and isinstance(item, bytes):
                    trace.name = item.decode("utf-8", "replace")
                elif inner == 17 and isinstance(item, bytes):
                    trace.started_at = next((number_of(w, v) for n, w, v in fields(item) if n == 1), None)


def _items(message: bytes) -> Iterator[tuple[str, Any]]:
    """Key (its parts joined by `/` where it is nested) and value of each item."""
    for place, _, item in fields(message):
        if place != 1 or not isinstance(item, bytes):
            continue
        key, nested, value = "", [], None
        for inner, wire, part in fields(item):
            if inner == 1 and isinstance(part, bytes):
                key = part.decode("utf-8", "replace")
            elif inner == 2 and isinstance(part, bytes):
                nested.append(part.decode("utf-8", "replace"))
            elif inner in (5, 6):
                value = number_of(wire, part)
            elif inner in (7, 8, 16) and isinstance(part, bytes):
                value = _json(part)
        yield key or ".".join(nested), value


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")


def _history(message: bytes, trace: Trace, rules: AuditRules) -> None:
    step: int | None = None
    for place, _, item in fields(message):
        if place == 2 and isinstance(item, bytes):
            step = next((value for n, _, value in fields(item) if n == 1 and isinstance(value, int)), 0)
    metrics = dict(_items(message))
    if step is None:
        told = number(metrics.get("_step"))
        step = int(told) if told is not None else None
    if step is not None:
        _put(trace, rules, step, metrics)


def _put(trace: Trace, rules: AuditRules, step: int, metrics: dict[str, Any]) -> None:
    trace.last_step = max(step, trace.last_step or 0)
    trace.first_step = min(step, trace.first_step if trace.first_step is not None else step)
    for name, value in metrics.items():
        found = number(value)
        if found is None:
            continue
        if name == "timing_s/step":
            trace.step_seconds.append(found)
        elif rules.score_pattern.search(name):
            seen = AuditEvidence(f"{name} = {found:.6g} at step {step}", trace.file)
            trace.scores.append(SeenScore(step, name, found, seen))


def _config(message: bytes, trace: Trace) -> None:
    for key, value in _items(message):
        if not key.startswith("_"):
            trace.config.update(flatten({key: value}))


def _read_summary(path: Path, rules: AuditRules) -> tuple[list[Trace], list[FileProblem]]:
    """The last value of each metric; only where no `.wandb` file stands beside it, which holds all of them."""
    if any(path.parent.parent.glob("*.wandb")):
        return [], []
    with open_regular(path) as file:
        try:
            summary = json.loads(file.read(MOST_SUMMARY_BYTES))
        except (ValueError, RecursionError) as error:
            raise NotText("is no JSON") from error
    trace = Trace("wandb", str(path))
    step = number(summary.get("_step")) if isinstance(summary, dict) else None
    if step is None:
        return [], []
    _put(trace, rules, int(step), {key: value for key, value in summary.items() if not isinstance(value, dict)})
    started, runtime = number(summary.get("_timestamp")), number(summary.get("_runtime"))
    trace.started_at = started - runtime if started is not None and runtime is not None else None
    trace.notes.append("only wandb's summary is there: the last value of each metric, of whichever step it was")
    trace.scores = [score for score in trace.scores if score.step == trace.last_step]
    trace.name = path.parent.parent.name
    return ([trace] if trace.tells else []), []
