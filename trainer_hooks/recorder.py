"""The recorder: this process's event lines and progress counters, written where the monitor finds them.

One recorder a process (`get()`), safe to call from any thread, from signal handlers and in forked children (a child
begins files of its own). Nothing here raises and nothing waits: what fails is counted in `errors`, which the responder
shows. No file is written through a descriptor kept open: a trainer that closes or reuses descriptors can't be written
into.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from trainer_hooks import records
from trainer_hooks.counters import MAPPED_FILE_SYSTEMS, Counters, file_system

MOST_ERRORS = 32
"""Different errors kept; the first ones say most."""
MOST_LINE_BYTES = 1 << 20
"""A longer event keeps its kind, step and phase, and loses its data."""
RETRY_SECONDS = 60.0
"""How long a folder that could not be used is left alone."""

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def _plain(value: Any) -> Any:
    """What stands in JSON for a value that JSON doesn't know. Never asks a device: a tensor stays a name."""
    if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
        return value.item()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value) if isinstance(value, os.PathLike) else f"<{type(value).__name__}>"


_ENCODE = json.JSONEncoder(separators=(",", ":"), default=_plain, skipkeys=True).encode


def claim_directory() -> str:
    """The hooks' folder, made where missing. PermissionError where others could put their files in its place."""
    base = os.path.abspath(records.directory())
    folder = os.path.join(base, os.path.basename(records.hooks_directory()))
    os.makedirs(base, mode=0o700, exist_ok=True)
    if os.environ.get(records.DIRECTORY_VARIABLE):
        # A person's choice, which may be a folder for other things too: it stays as it is.
        found = os.stat(base)
        if found.st_uid not in (0, os.getuid()) or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            raise PermissionError(1, "others could replace what is in this folder", base)
    else:
        _close_to_others(base)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    _close_to_others(folder)
    return folder


def _close_to_others(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "this belongs to someone else or is no folder", path)
    if found.st_mode & 0o077:
        os.chmod(path, 0o700)


class Recorder:
    """Event lines and counters of one process. Its files begin with the first event or count."""

    def __init__(self, on_open: tuple[Callable[[], None], ...] = ()) -> None:
        self.pid = os.getpid()
        self.errors: dict[str, int] = {}
        self.on_open = on_open
        self._counters = Counters(self.pid)
        self._process: dict[str, Any] = {}
        self._stem = ""
        self._opening = threading.RLock()
        self._inside = False
        self._torn = False
        self._retry_at = 0.0

    def event(self, kind: str, /, *, step: int | None = None, phase: str | None = None, **data: Any) -> None:
        """Append one event line."""
        try:
            head = {"schema": records.SCHEMA, "kind": kind, "at": time.time(), "step": step, "phase": phase}
            line = _ENCODE({**head, "data": data})
            if len(line) > MOST_LINE_BYTES:
                line = _ENCODE({**head, "data": {"left_out_bytes": len(line)}})
            self._append(line)
        except Exception as error:
            self.failed("event", error)

    def add(self, counter: str, amount: int = 1) -> None:
        """Raise a counter."""
        try:
            if not self._stem:
                self._begin()
            self._counters.add(counter, amount)
        except Exception as error:
            self.failed("add", error)

    def set(self, counter: str, value: int) -> None:
        """Set a counter."""
        try:
            if not self._stem:
                self._begin()
            self._counters.set(counter, value)
        except Exception as error:
            self.failed("set", error)

    def process(self, **known: Any) -> None:
        """Write what is known of this process, where it is more than was written before."""
        try:
            if self._stem and all(self._process.get(key) == value for key, value in known.items()):
                return
            self._process.update(known)
            if self._stem:
                self._write_process()
            else:
                self._begin()
        except Exception as error:
            self.failed("process", error)

    def counters(self) -> dict[str, int]:
        """Every counter and its value."""
        return self._counters.values()

    def flush(self) -> None:
        """Bring counters that are not mapped to their file."""
        try:
            self._counters.flush()
        except Exception as error:
            self.failed("flush", error)

    def socket_path(self) -> str | None:
        """Where the responder listens; None where there is no folder for it."""
        self._begin()
        return self._stem + records.SOCKET_ENDING if self._stem else None

    def failed(self, where: str, error: BaseException) -> None:
        """Count an error. The trainer never sees it; the responder shows it."""
        text = f"{where}: {type(error).__name__}: {error}"[:300]
        if text in self.errors or len(self.errors) < MOST_ERRORS:
            self.errors[text] = self.errors.get(text, 0) + 1

    def _begin(self) -> None:
        """Begin this process's files, once, and tell who waits for it. A folder that failed is left alone a while."""
        with self._opening:
            # A signal handler may come here in the middle of beginning: what it records is lost, and counted.
            if self._stem or self._inside or time.monotonic() < self._retry_at:
                return
            self._inside = True
            try:
                self._make_files()
            except Exception as error:
                self._retry_at = time.monotonic() + RETRY_SECONDS
                self.failed("open", error)
                return
            finally:
                self._inside = False
        for listener in self.on_open:
            try:
                listener()
            except Exception as error:
                self.failed("on_open", error)

    def _make_files(self) -> None:
        """The process line, then the counters."""
        folder = claim_directory()
        self._stem = os.path.join(folder, records.stem(self.pid, records.start_ticks(self.pid)))
        self._write_process()
        try:
            mappable = file_system(folder) in MAPPED_FILE_SYSTEMS
            self._counters.attach(self._stem + records.COUNTERS_ENDING, map_file=mappable)
        except Exception as error:
            self.failed("counters", error)

    def _write_process(self) -> None:
        names = ("job_id", "actor_id", "actor_name", "worker_id", "node_id", "ray_session")
        line: dict[str, Any] = {"schema": records.SCHEMA, "kind": records.PROCESS, "at": time.time(), "pid": self.pid}
        line["start"] = records.start_ticks(self.pid)
        line["python"] = sys.version.split()[0]
        line["argv"] = [argument[:500] for argument in sys.argv[:50]]
        line.update(dict.fromkeys(names))
        line.update({"hooks": [], "not_found": []})
        line.update(self._process)
        try:
            self._append(_ENCODE(line))
        except Exception as error:
            self.failed("process", error)

    def _append(self, line: str) -> None:
        """Append one line with one write. A line cut by a full disk never swallows the next one."""
        if not self._stem:
            self._begin()
        if not self._stem:
            raise FileNotFoundError(2, "there is no folder for events")
        data = (("\n" if self._torn else "") + line + "\n").encode("utf-8", "replace")
        try:
            descriptor = os.open(self._stem + records.EVENTS_ENDING, _FLAGS, 0o600)
        except FileNotFoundError:
            claim_directory()
            descriptor = os.open(self._stem + records.EVENTS_ENDING, _FLAGS, 0o600)
        try:
            written = os.write(descriptor, data)
        finally:
            os.close(descriptor)
        self._torn = written != len(data)
        if self._torn:
            raise OSError(28, "the event line was cut short: the disk is full")


_recorder = Recorder()


def get() -> Recorder:
    """The recorder of this process."""
    return _recorder


def _begin_anew() -> None:
    """In a forked child: forget the parent's files, keep what is to be done when own ones begin."""
    global _recorder
    _recorder = Recorder(_recorder.on_open)


os.register_at_fork(after_in_child=_begin_anew)
