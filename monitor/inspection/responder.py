"""Asking the hooks' responder of a process for its asyncio tasks, loops and threads, within a deadline.

`absent`: no socket, so no hooks (or no folder we share). `silent`: a socket, but no answer in time: the process is
stopped, C code holds its GIL, or a loop that never waits leaves it to no other thread. A document that can't be read is
`silent` too, and why.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.inspection import told_threads
from monitor.model.descriptors import Descriptors
from monitor.model.snapshot import AsyncioTask, EventLoopState, Frame, ThreadState
from trainer_hooks import records

LARGEST_ANSWER = 64 << 20
LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class ResponderAnswer:
    """What the responder said, or why it didn't."""

    tasks: tuple[AsyncioTask, ...] | None = None
    loops: tuple[EventLoopState, ...] = ()
    threads: tuple[ThreadState, ...] = ()
    max_concurrency: int | None = None
    status: str = "absent"
    """`answered`, `silent` or `absent`."""
    because: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    descriptors: Descriptors | None = None
    """What the process has open, by its own word."""


def ask(pid: int, *, timeout: float = 1.0, directory: str | None = None) -> ResponderAnswer:
    """The snapshot of `pid` by its responder. `directory`: the hooks' folder, where the run has one of its own."""
    folder = Path(directory or records.hooks_directory())
    try:
        path = folder / (records.stem(pid, records.start_ticks(pid)) + records.SOCKET_ENDING)
        owner = os.lstat(path).st_uid
    except (OSError, ValueError, IndexError):
        return ResponderAnswer(because="no hooks in this process")
    if owner != os.getuid():
        return ResponderAnswer(because=f"the socket {path} belongs to uid {owner}")
    try:
        document = json.loads(_exchange(path, timeout))
        return _parse(pid, document)
    except ConnectionRefusedError:
        return ResponderAnswer(because="the socket is there, but nobody listens")
    except TimeoutError:
        return ResponderAnswer(status="silent", because=f"no answer within {timeout:g} s")
    except OSError as error:
        return ResponderAnswer(status="silent", because=f"no answer: {error.strerror or error}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return ResponderAnswer(status="silent", because=f"an answer that can't be read: {error}"[:200])


def _exchange(path: Path, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
        address = str(path) if short else f"/proc/self/fd/{folder}/{path.name}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(address)
            connection.sendall(records.QUESTION_SNAPSHOT)
            blocks: list[bytes] = []
            size = 0
            while True:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError
                connection.settimeout(remaining)
                block = connection.recv(1 << 16)
                if not block:
                    return b"".join(blocks)
                blocks.append(block)
                size += len(block)
                if size > LARGEST_ANSWER:
                    raise ValueError("an answer of more than 64 MiB")
    finally:
        os.close(folder)


def _parse(pid: int, document: dict[str, Any]) -> ResponderAnswer:
    if document["schema"] != records.SCHEMA:
        raise ValueError(f"schema {document['schema']}, expected {records.SCHEMA}: hooks of another version")
    actor = document.get("actor") or {}
    return ResponderAnswer(
        tasks=tuple(_task(task) for task in document["tasks"]),
        loops=tuple(_loop(loop) for loop in document["loops"]),
        threads=told_threads.threads_of(pid, document.get("threads") or ()),
        max_concurrency=actor.get("max_concurrency"),
        status="answered",
        counters={str(name): int(value) for name, value in (document.get("counters") or {}).items()},
        errors=tuple(str(error) for error in document.get("errors") or ()),
        descriptors=_descriptors(document.get("descriptors")),
    )


def _descriptors(told: dict[str, Any] | None) -> Descriptors | None:
    if told is None:
        return None
    return Descriptors(frozenset(map(int, told["sockets"])), tuple(map(str, told["devices"])))


def _task(task: dict[str, Any]) -> AsyncioTask:
    return AsyncioTask(
        name=str(task["name"]),
        loop=str(task["loop"]),
        frames=tuple(Frame(str(function), str(file), int(line)) for function, file, line in task.get("frames") or ()),
        waits_on=str(task.get("waits_on") or "unknown"),
        object_ref=task.get("object_ref"),
        ray_task_id=task.get("ray_task_id"),
        key=str(task.get("key") or ""),
        waits_for=tuple(str(key) for key in task.get("waits_for") or ()),
        waits_any=bool(task.get("waits_any")),
        context_task_id=task.get("context_task_id"),
    )


def _loop(loop: dict[str, Any]) -> EventLoopState:
    return EventLoopState(
        loop=str(loop["loop"]),
        thread=str(loop.get("thread") or ""),
        running=bool(loop.get("running")),
        blocked_seconds=loop.get("blocked_seconds"),
        timers=int(loop.get("timers") or 0),
        next_timer_seconds=loop.get("next_timer_seconds"),
        readers=int(loop.get("readers") or 0),
        pending_tasks=int(loop.get("pending_tasks") or 0),
    )
