"""Asking the hooks' responder: an answer, no socket, nobody listening, silence, nonsense; never past its deadline."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.inspection.responder import ask
from trainer_hooks import records

ME = os.getpid()
ANSWER = {
    "schema": 1,
    "pid": ME,
    "threads": [{"thread_id": 1, "native_id": 2, "name": "MainThread", "frames": []}],
    "loops": [
        {"loop": "1", "thread": "AsyncIO", "running": True, "blocked_seconds": 3.5, "timers": 1, "pending_tasks": 2}
    ],
    "tasks": [
        {
            "name": "Task-7",
            "loop": "1",
            "frames": [["generate", "/x/server.py", 12], ["wait", "/x/locks.py", 3]],
            "waits_on": "event",
            "object_ref": None,
            "ray_task_id": "ab",
            "key": "7",
            "waits_for": ["8"],
            "waits_any": True,
            "context_task_id": "ab",
        }
    ],
    "counters": {"heartbeat": 9},
    "actor": {"actor_id": "a", "name": "s", "max_concurrency": 64},
    "errors": ["one"],
}


def _path(folder: Path) -> Path:
    return folder / (records.stem(ME, records.start_ticks(ME)) + records.SOCKET_ENDING)


@contextmanager
def listening(folder: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """A responder at this process's place whose behaviour is `serve`."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(f"/proc/self/fd/{descriptor}/{_path(folder).name}")
        os.close(descriptor)
        server.listen(4)

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == records.QUESTION_SNAPSHOT
                serve(connection)

        threading.Thread(target=run, daemon=True).start()
        yield


def test_an_answer_is_read_with_tasks_loops_and_slots(own_folders: Path) -> None:
    with listening(own_folders, lambda connection: connection.sendall(json.dumps(ANSWER).encode())):
        answer = ask(ME, timeout=30.0, directory=str(own_folders))
    assert answer.status == "answered"
    (task,) = answer.tasks or ()
    assert (task.name, task.waits_on, task.ray_task_id, task.waits_for, task.waits_any) == (
        "Task-7",
        "event",
        "ab",
        ("8",),
        True,
    )
    assert (task.frames[0].function, task.frames[0].line) == ("generate", 12)
    assert answer.loops[0].blocked_seconds == 3.5 and answer.loops[0].pending_tasks == 2
    assert (answer.max_concurrency, answer.counters, answer.errors) == (64, {"heartbeat": 9}, ("one",))


def test_a_path_longer_than_a_socket_address_is_reached(own_folders: Path) -> None:
    folder = own_folders / ("x" * 120)
    folder.mkdir()
    with listening(folder, lambda connection: connection.sendall(json.dumps(ANSWER).encode())):
        assert ask(ME, timeout=30.0, directory=str(folder)).status == "answered"


def test_without_a_socket_the_hooks_are_absent(own_folders: Path) -> None:
    assert ask(ME, directory=str(own_folders)).status == "absent"
    assert ask(2**22 - 3, directory=str(own_folders)).status == "absent"


def test_a_socket_nobody_listens_on_is_absent(own_folders: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(_path(own_folders)))
    answer = ask(ME, directory=str(own_folders))
    assert (answer.status, answer.because) == ("absent", "the socket is there, but nobody listens")


@pytest.mark.parametrize("sent", [b"", b'{"schema": 1, "ta'])
def test_a_responder_that_does_not_finish_is_silent(own_folders: Path, sent: bytes) -> None:
    released = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(sent)
        released.wait(60)

    with listening(own_folders, serve):
        answer = ask(ME, timeout=0.3, directory=str(own_folders))
        released.set()
    assert (answer.status, answer.tasks) == ("silent", None)
    assert "0.3 s" in answer.because


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"schema": 99}', b'{"schema": 1, "tasks": 3}'])
def test_an_answer_that_cannot_be_read_is_silent_with_the_reason(own_folders: Path, body: bytes) -> None:
    with listening(own_folders, lambda connection: connection.sendall(body)):
        answer = ask(ME, timeout=30.0, directory=str(own_folders))
    assert (answer.status, answer.tasks) == ("silent", None)
    assert "can't be read" in answer.because
