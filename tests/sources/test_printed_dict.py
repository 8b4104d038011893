"""A printed dict whose lines Ray forwarded in pieces."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from monitor.sources.printed_dict import PrintedDict, read_dict

CONFIG = {
    "actor_rollout_ref": {"rollout": {"engine": "verl.workers.engine", "n": 2, "name": "vllm"}, "strategy": "fsdp2"},
    "trainer": {"experiment_name": "exp of today", "test_freq": 1, "total_training_steps": 29, "nothing": None},
}
LINES = pformat(CONFIG, width=60).splitlines()


def _read(lines: list[str]) -> dict[str, Any]:
    printed = PrintedDict("config", 1)
    for line in lines:
        if printed.takes(line) and printed.add(line):
            break
    return read_dict(printed.text)


def _torn() -> list[tuple[int, int, dict[str, Any]]]:
    return [
        (number, at, _read([*LINES[:number], line[:at], line[at:], *LINES[number + 1 :]]))
        for number, line in enumerate(LINES)
        for at in range(1, len(line))
    ]


def test_a_line_torn_inside_a_string_is_joined_again() -> None:
    inside = [found for number, at, found in _torn() if LINES[number][:at].count("'") % 2]
    assert len(inside) > 100
    assert [found for found in inside if found != CONFIG] == []


def test_a_line_torn_anywhere_is_read_without_an_error_and_never_to_other_values() -> None:
    said = {"experiment_name": "exp of today", "test_freq": 1, "total_training_steps": 29}
    for number, at, found in _torn():
        if found == CONFIG:
            continue
        flat = {name: found.get(f"*.{name}") for name in said}
        wrong = {name: value for name, value in flat.items() if value not in (None, said[name])}
        assert wrong == {}, (LINES[number], at)


def test_a_string_that_never_closes_is_left_out_key_by_key() -> None:
    assert read_dict("{'a': 'verl.worker\n 'b': 2, 'c': 'x'}")["*.c"] == "x"
