"""The responder answers whoever may ask, goes away with its process, and never stands in the program's way."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import Hooked
from trainer_hooks import records

Start = Callable[..., Hooked]
# A shell starts background jobs with SIGINT ignored, and children inherit that.
IDLE = """
    import signal, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("ready", flush=True)
    while True: time.sleep(0.1)
"""


def test_ping_and_an_unknown_question_are_answered(hooked: Start) -> None:
    program = hooked(IDLE)
    assert program.ask(records.QUESTION_PING)["pid"] == program.process.pid
    assert "unknown question" in program.ask(b"what?\n")["errors"][0]


def test_answer_has_every_key_that_records_states(hooked: Start) -> None:
    answer = hooked(IDLE).ask()
    stated = {
        "schema",
        "pid",
        "at",
        "python",
        "threads",
        "descriptors",
        "loops",
        "tasks",
        "counters",
        "actor",
        "errors",
    }
    assert set(answer) == stated and answer["actor"] is None
    (main,) = [thread for thread in answer["threads"] if thread["name"] == "MainThread"]
    assert main["native_id"] > 0 and main["frames"][0][0] == "<module>"


def test_heart_beats_and_counters_are_in_the_answer(hooked: Start) -> None:
    program = hooked("import trainer_hooks.recorder as r\nr.get().add('samples', 3)" + IDLE.replace("\n    ", "\n"))
    deadline = time.monotonic() + 60
    while program.ask()["counters"].get(records.HEARTBEAT, 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    counters = program.ask()["counters"]
    assert counters[records.HEARTBEAT] >= 2 and counters["samples"] == 3


def test_client_that_asks_nothing_keeps_nobody_waiting_for_long(hooked: Start) -> None:
    program = hooked(IDLE)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(program.socket()))
        assert program.ask(records.QUESTION_PING)["pid"] == program.process.pid


def test_client_that_leaves_at_once_does_no_harm(hooked: Start) -> None:
    program = hooked(IDLE)
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(program.socket()))
            client.sendall(records.QUESTION_SNAPSHOT)
    assert program.ask()["errors"] == []


def test_socket_is_for_its_owner_only_and_goes_with_the_process(hooked: Start) -> None:
    program = hooked(IDLE)
    path = program.socket()
    assert path.stat().st_mode & 0o077 == 0
    program.process.send_signal(signal.SIGINT)
    program.process.wait(60)
    assert not path.exists()


def test_signals_are_never_delivered_to_the_responder(hooked: Start) -> None:
    program = hooked(IDLE)
    status = [
        (task / "status").read_text()
        for task in Path(f"/proc/{program.process.pid}/task").iterdir()
        if int(task.name) != program.process.pid
    ]
    (blocked,) = [line.split()[1] for text in status for line in text.splitlines() if line.startswith("SigBlk")]
    wanted = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD]
    assert all(int(blocked, 16) >> (number - 1) & 1 for number in wanted)


def test_forked_child_does_not_hold_the_parent_s_socket(hooked: Start) -> None:
    program = hooked(
        """
        import os, time
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
        time.sleep(1000)
        """,
        ready="",
    )
    child = int(program.read_line())
    path = program.socket()
    try:
        program.process.kill()
        program.process.wait(60)
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(str(path))
    finally:
        os.kill(child, signal.SIGKILL)


def test_forked_child_that_records_has_a_responder_of_its_own(hooked: Start) -> None:
    program = hooked(
        """
        import os, time
        from trainer_hooks import recorder
        child = os.fork()
        if child == 0:
            recorder.get().add("samples")
            print("ready", flush=True)
            time.sleep(1000)
        print(child, flush=True)
        time.sleep(1000)
        """,
        ready="",
    )
    first, second = program.read_line(), program.read_line()
    child = int(first if second == "ready" else second)
    try:
        path = program.hooks / (records.stem(child, records.start_ticks(child)) + ".sock")
        answer = ask_until_there(path)
        assert answer["pid"] == child
    finally:
        os.kill(child, signal.SIGKILL)


def ask_until_there(path: Path) -> Any:
    """The answer of a responder that may not listen yet."""
    for _ in range(600):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(path))
                client.sendall(records.QUESTION_PING)
                return json.loads(b"".join(iter(lambda: client.recv(65536), b"")))
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.1)
    raise AssertionError(f"nobody listens at {path}")


def test_folder_with_a_path_too_long_for_a_socket_still_listens(
    hooked: Start, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = own_folders / ("d" * 90) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setenv("LASTSTEP_DIR", str(deep))
    program = hooked(IDLE)
    name = records.stem(program.process.pid, records.start_ticks(program.process.pid)) + ".sock"
    folder = os.open(deep / "hooks", os.O_PATH)
    try:
        assert ask_until_there(Path(f"/proc/self/fd/{folder}/{name}"))["pid"] == program.process.pid
    finally:
        os.close(folder)


def test_program_ends_at_once_and_silently_while_it_is_asked(hooked: Start) -> None:
    for _ in range(3):
        program = hooked("import sys\nprint('ready', flush=True)")
        assert program.process.wait(60) == 0
