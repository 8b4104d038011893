"""What one thread does, from one reading of it: which kind of wait, and whether that wait can end by itself.

Pure. The kernel's word (a lock without deadline, a sleep, a poll) counts more than the stack, since calls into C leave
no Python frame; without it, only waits that the standard library spells out in Python are told apart. What can't be
told is `UNKNOWN`, which every rule takes for "may move".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from monitor.detect.frames import innermost_users, is_library, is_ray, is_standard, is_users
from monitor.model.snapshot import Frame, ThreadState


class Doing(str, enum.Enum):
    """What a thread does."""

    SERVICE = "service"
    """Ray's, a pool's or our own service thread, idle: it does only what others ask of it."""
    GET = "ray.get"
    WAIT_ANY = "ray.wait"
    LOOP_IDLE = "loop idle"
    LOCK = "lock"
    """An in-process wait without a deadline: only this process can end it."""
    TIMED = "timed"
    OUTSIDE = "outside"
    """A wait on a socket, a pipe, a file or a child process."""
    BUSY = "busy"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ThreadWait:
    """What a thread does, and where in the person's code."""

    doing: Doing
    users: Frame | None = None
    refs: tuple[str, ...] = ()
    text: str = ""
    """In words, as a reason."""


SAMPLE_POLL = "_wait_for_next_poll"
"""verl 0.9, `trainer/ppo/v1/replay_buffer.py`."""
SERVICE_NAMES = frozenset({"PythonGCThread", "ray_import_thread", "ray_listen_error_messages", "ray_print_logs"})
OUR_NAMES = "laststep-"
_SERVICE_FILES = ("/tqdm/_monitor.py",)
_SERVED = ("/multiprocessing/", "/logging/handlers.py", "/concurrent/futures/process.py")
_LOCK_MODULES = ("/threading.py", "/queue.py", "/concurrent/futures/_base.py", "/concurrent/futures/thread.py")
_OUTSIDE_MODULES = ("/socket.py", "/ssl.py", "/selectors.py", "/subprocess.py", "/socketserver.py", "/http/client.py")


def thread_wait(thread: ThreadState) -> ThreadWait:
    """Judge one thread."""
    frames = thread.frames
    users = innermost_users(frames)
    if _is_service(thread, users):
        return ThreadWait(Doing.SERVICE)
    if thread.runs_loop and thread.loop_idle:
        return ThreadWait(Doing.LOOP_IDLE)
    if is_ray(frames[0]) and frames[0].function.rpartition(".")[2] in ("get_objects", "wait"):
        return _ray_wait(thread, users)
    doing, text = _by_kernel(thread) or _by_frames(thread)
    return ThreadWait(doing, users, text=text)


def polls_for_samples(thread: ThreadState) -> bool:
    """verl's V1 trainer asks its replay buffer for the samples of a step until there are enough."""
    return any(frame.function.rpartition(".")[2] == SAMPLE_POLL for frame in thread.frames)


def loop_timer(thread: ThreadState) -> bool | None:
    """Whether an idle loop's selector waits with a deadline, that is, has timers. None: not known."""
    if thread.kernel_wait == "poll" and thread.kernel_wait_ends is not None:
        return thread.kernel_wait_ends
    if "timeout" in thread.locals_repr:
        return thread.locals_repr["timeout"] not in ("None", "-1")
    return None


def _is_service(thread: ThreadState, users: Frame | None) -> bool:
    frames = thread.frames
    if not frames or thread.name in SERVICE_NAMES or thread.name.startswith(OUR_NAMES):
        return True
    if is_ray(frames[0]) and frames[0].function.endswith("main_loop"):
        return True
    if frames[-1].file.endswith(_SERVICE_FILES) or any(frame.file.endswith(_SERVICE_FILES) for frame in frames):
        return True
    if frames[0].function == "_worker" and frames[0].file.endswith("/concurrent/futures/thread.py"):
        return True
    if thread.runs_loop or thread.waiting_refs or thread.refs_unreadable:
        return False
    return users is None and not _works(frames) and all(is_standard(frame) or is_ray(frame) for frame in frames)


def _works(frames: tuple[Frame, ...]) -> bool:
    """A timer, or a pool's work, whose frames are all the standard library's: it does something by itself.

    Python 3.10 names no classes: there `run` of threading.py is a service only where it runs one that is known.
    """
    for position, frame in enumerate(frames):
        if frame.function.endswith(("_WorkItem.run", "Timer.run")):
            return True
        if frame.function == "run" and frame.file.endswith("/concurrent/futures/thread.py"):
            return True
        if frame.function == "run" and frame.file.endswith("/threading.py"):
            inner = frames[position - 1] if position else None
            return inner is None or not (is_ray(inner) or any(part in inner.file for part in _SERVED))
    return False


def _ray_wait(thread: ThreadState, users: Frame | None) -> ThreadWait:
    if thread.refs_unreadable or not thread.waiting_refs:
        because = thread.refs_unreadable or "its ObjectRefs were not read"
        return ThreadWait(Doing.UNKNOWN, users, text=f"what it waits for in Ray can't be read: {because}")
    if _has_deadline(thread):
        return ThreadWait(Doing.TIMED, users, thread.waiting_refs, "it waits in Ray with a timeout")
    doing = Doing.WAIT_ANY if thread.frames[0].function.rpartition(".")[2] == "wait" else Doing.GET
    return ThreadWait(doing, users, thread.waiting_refs)


def _has_deadline(thread: ThreadState) -> bool:
    """By the locals of `get_objects`: `timeout_ms` is -1 without a timeout; `ray.wait` has 1000000 s for none."""
    milliseconds = thread.locals_repr.get("timeout_ms", "-1")
    seconds = thread.locals_repr.get("timeout", "None")
    return milliseconds not in ("-1", "None") or seconds not in ("None", "-1", "1000000", "1000000.0")


def _by_kernel(thread: ThreadState) -> tuple[Doing, str] | None:
    wait, ends = thread.kernel_wait, thread.kernel_wait_ends
    if wait == "running":
        return Doing.BUSY, "it runs on a CPU"
    if wait == "sleep" or (wait == "lock" and ends):
        return Doing.TIMED, "it sleeps, and a sleep ends by itself" if wait == "sleep" else "its wait has a deadline"
    if wait in ("poll", "read", "write", "child", "other"):
        return Doing.OUTSIDE, f"it waits for something outside (kernel: {wait})"
    if wait == "lock" and ends is False:
        if is_library(thread.frames[0]):
            return Doing.UNKNOWN, "it waits inside a library, for what can't be seen"
        return Doing.LOCK, "it waits on a lock without a deadline"
    return None


def _by_frames(thread: ThreadState) -> tuple[Doing, str]:
    innermost = thread.frames[0]
    if is_standard(innermost) and innermost.file.endswith(_LOCK_MODULES) and "timeout" in thread.locals_repr:
        if thread.locals_repr["timeout"] in ("None", "-1"):
            return Doing.LOCK, "it waits on a lock without a deadline"
        return Doing.TIMED, "its wait has a deadline"
    if is_standard(innermost) and innermost.file.endswith(_OUTSIDE_MODULES):
        return Doing.OUTSIDE, "it waits for something outside"
    if thread.active:
        return Doing.BUSY, "it runs"
    where = "C code called there" if is_users(innermost) else "code outside Python"
    return Doing.UNKNOWN, f"what it waits for can't be told from its stack ({where})"
