"""The interpreter: `_PyRuntime` relative to the file that holds it, `sys.modules`, thread states and their frames."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Any

from .own_memory import Unlike, place, places, word

LARGEST_INTERPRETER = 1 << 20
LARGEST_RUNTIME = 1 << 16


def offsets(specimens: dict[str, Any]) -> dict[str, Any]:
    """Everything of this module. Raises `Unlike`."""
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    interpreter = int(api.PyInterpreterState_Get() or 0)
    address = ctypes.addressof(ctypes.c_char.in_dll(api, "_PyRuntime"))
    # `head` and `main` follow one another, and are the same where there is one interpreter.
    twice = [i for i in places(address, interpreter, LARGEST_RUNTIME) if word(address + i + 8) == interpreter]
    if not twice:
        raise Unlike("the main interpreter was not found in _PyRuntime")
    return {
        **_file_of(address),
        "runtime_main": twice[0] + 8,
        "interpreter_modules": place("sys.modules", interpreter, id(sys.modules), LARGEST_INTERPRETER),
        **_threads(specimens, interpreter),
    }


def _file_of(address: int) -> dict[str, Any]:
    """The mapped file at or before an address: its uninitialized data lies behind it, without a name."""
    lowest: dict[tuple[str, str], int] = {}
    holder: tuple[str, str] | None = None
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            span, _, _, device, inode = line.split()[:5]
            start = int(span.partition("-")[0], 16)
            if inode != "0":
                lowest.setdefault((device, inode), start)
                holder = (device, inode) if start <= address else holder
    if holder is None:
        raise Unlike("no file holds _PyRuntime")
    return {"runtime_device": holder[0], "runtime_inode": int(holder[1]), "runtime": address - lowest[holder]}


def _threads(specimens: dict[str, Any], interpreter: int) -> dict[str, int]:
    """Thread states, from a second thread that waits in a known frame."""
    api = ctypes.pythonapi
    api.PyThreadState_Get.restype = ctypes.c_void_p
    api.PyThreadState_GetDict.restype = ctypes.c_void_p
    told: dict[str, int] = {}
    ready, lock, sentinel = threading.Event(), threading.Lock(), object()
    lock.acquire()

    def tell() -> None:
        told.update(state=int(api.PyThreadState_Get()), dict=int(api.PyThreadState_GetDict()))
        ready.set()

    thread = threading.Thread(target=specimens["hold"], args=(sentinel, tell, lock), daemon=True)
    thread.start()
    ready.wait()
    try:
        state, ident = told["state"], thread.ident or 0
        frame: Any = sys._current_frames()[ident]
        while frame.f_code.co_name != "inner":
            frame = frame.f_back
        frames = _old_frames if sys.version_info < (3, 11) else _new_frames
        return {
            "interpreter_threads": place("the list of threads", interpreter, state, LARGEST_INTERPRETER),
            "thread_next": place("the next thread", state, int(api.PyThreadState_Get()), 64),
            "thread_ident": place("the thread's ident", state, ident),
            "thread_dict": place("the thread's dict", state, told["dict"]),
            **frames(state, frame, sentinel),
        }
    finally:
        lock.release()
        thread.join()


def _old_frames(state: int, frame: Any, sentinel: object) -> dict[str, int]:
    """3.10: frame objects. The thread's own is the innermost Python frame."""
    innermost = id(frame)
    return {
        "thread_frame": place("the thread's frame", state, innermost),
        "frame_code": place("the frame's code", innermost, id(frame.f_code)),
        "frame_previous": place("the frame before", innermost, id(frame.f_back)),
        "frame_locals": place("the frame's locals", innermost, id(sentinel)),
    }


def _new_frames(state: int, frame: Any, sentinel: object) -> dict[str, int]:
    """3.11 and later: interpreter frames, which a frame object points at."""
    inside, above = word(id(frame) + 24), word(id(frame.f_back) + 24)
    found = {
        "frame_code": place("the frame's code", inside, id(frame.f_code), 128),
        "frame_previous": place("the frame before", inside, above, 128),
        "frame_locals": place("the frame's locals", inside, id(sentinel), 160),
    }
    direct = places(state, inside)
    if direct:
        return {**found, "thread_frame": direct[0]}
    for offset in range(0, 512, 8):
        for behind in (0, 8, 16):
            if word(word(state + offset) + behind) == inside:
                return {**found, "thread_cframe": offset, "cframe_frame": behind}
    raise Unlike("the thread's frame was not found")
