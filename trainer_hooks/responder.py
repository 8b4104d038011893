"""The responder: a daemon thread that answers the monitor's questions on a unix socket, and beats once a second.

It answers while the event loop is blocked, and not while compiled code holds the GIL: both tell the monitor something.
Covers the thread, the socket and the answer; what an answer says of tasks and loops is `event_loops.py`, of threads
`own_threads.py`. One question a connection, one connection at a time, each with a deadline; a client can cost the
trainer no more than its answer.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

from trainer_hooks import event_loops, own_threads, ray_identity, recorder, records

BEAT_SECONDS = 1.0
CLIENT_SECONDS = 2.0
"""A client that asks or takes its answer more slowly is left."""
MOST_QUESTION_BYTES = 64
MOST_PATH_BYTES = 107
"""What `sun_path` holds. A longer path is bound through /proc/self/fd, at the same place."""

_CREDENTIALS = struct.Struct("3i")

_lock = threading.Lock()
_responder: Responder | None = None


def start() -> None:
    """Start the responder of this process, once."""
    global _responder
    with _lock:
        if _responder is None:
            _responder = Responder()
            # Here and not in the thread: a fork that falls into the thread's first moments would inherit the socket.
            try:
                _responder.listen()
            except Exception as error:
                recorder.get().failed("responder", error)
            # Signals are the trainer's: the thread inherits a mask that lets none be delivered to it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                _responder.thread.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


def snapshot() -> dict[str, Any]:
    """The answer to `records.QUESTION_SNAPSHOT`."""
    mine = recorder.get()
    loops, tasks, left_out = event_loops.describe(mine.failed)
    errors = [f"{text} (x{count})" if count > 1 else text for text, count in mine.errors.copy().items()]
    if left_out:
        errors.append(f"{left_out} pending tasks are not in this answer")
    return {
        "schema": records.SCHEMA,
        "pid": os.getpid(),
        "at": time.time(),
        "python": sys.version.split()[0],
        "threads": own_threads.describe(),
        "descriptors": own_threads.descriptors(),
        "loops": loops,
        "tasks": tasks,
        "counters": mine.counters(),
        "actor": ray_identity.actor(),
        "errors": errors,
    }


def answer(question: bytes) -> dict[str, Any]:
    """The document for one question."""
    if question == records.QUESTION_SNAPSHOT:
        return snapshot()
    known = {"schema": records.SCHEMA, "pid": os.getpid(), "at": time.time()}
    return known if question == records.QUESTION_PING else {**known, "errors": [f"unknown question {question!r}"]}


class Responder:
    """The thread and its socket."""

    def __init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name="laststep-responder", daemon=True)
        self.server: socket.socket | None = None
        self._inode = 0
        self._stopping = False
        self._path: str | None = None

    def stop(self) -> None:
        """Take the socket away. The thread ends with its next beat, or with the process."""
        self._stopping = True
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _run(self) -> None:
        mine = recorder.get()
        beat_at = time.monotonic()
        while not self._stopping:
            try:
                if time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + BEAT_SECONDS
                    self._beat()
                self._serve(max(0.0, beat_at - time.monotonic()))
            except Exception as error:
                mine.failed("responder", error)
                time.sleep(BEAT_SECONDS)

    def _beat(self) -> None:
        mine = recorder.get()
        mine.add(records.HEARTBEAT)
        mine.flush()
        known = ray_identity.identity()
        if known:
            mine.process(**known)

    def listen(self) -> None:
        """Make the socket. OSError where that can't be done."""
        path = recorder.get().socket_path()
        if path is None:
            raise FileNotFoundError(2, "there is no folder for the socket")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if len(os.fsencode(path)) <= MOST_PATH_BYTES:
            server.bind(path)
        else:
            folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                server.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
            finally:
                os.close(folder)
        os.chmod(path, 0o600)
        server.listen(64)
        server.setblocking(False)
        self._inode = os.fstat(server.fileno()).st_ino
        self.server, self._path = server, path

    def _serve(self, seconds: float) -> None:
        """Wait for one client at most `seconds`, and answer it."""
        if self.server is None:
            time.sleep(seconds)
            return
        poll = select.poll()
        poll.register(self.server.fileno(), select.POLLIN)
        if not poll.poll(seconds * 1000):
            return
        # A program that closes all descriptors may have given this number to a file of its own.
        if os.fstat(self.server.fileno()).st_ino != self._inode:
            self.server.detach()
            self.server = None
            return
        with contextlib.suppress(BlockingIOError, ConnectionError, TimeoutError):
            client, _ = self.server.accept()
            with client:
                client.settimeout(CLIENT_SECONDS)
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(credentials)[1] not in (0, os.getuid()):
            return
        question = b""
        while not question.endswith(b"\n") and len(question) < MOST_QUESTION_BYTES:
            received = client.recv(MOST_QUESTION_BYTES - len(question))
            if not received:
                break
            question += received
        client.sendall(json.dumps(answer(question), separators=(",", ":")).encode("utf-8", "replace"))


def _stop() -> None:
    if _responder is not None:
        _responder.stop()


def _begin_anew() -> None:
    """In a forked child: the thread is not there; the parent's socket must not stay open here."""
    global _responder, _lock
    _lock = threading.Lock()
    if _responder is not None and _responder.server is not None:
        with contextlib.suppress(OSError):
            if os.fstat(_responder.server.fileno()).st_ino == _responder._inode:
                _responder.server.close()
            else:
                _responder.server.detach()
    _responder = None


os.register_at_fork(after_in_child=_begin_anew)
atexit.register(_stop)
