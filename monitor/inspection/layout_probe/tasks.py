"""Futures, tasks, timers, loops, attributes: where asyncio's C code and the object model keep what is asked for."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import gc
import socket
import struct
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

from .own_memory import Unlike, integer, integers, least, place, read, word

FUTURE_BYTES = 256
HELD = object()
HOLDER_KEY = "__asyncio_running_event_loop__"


class Plain:
    """A class of Python code, whose instances keep their attributes in the type's own way."""


def offsets(specimens: dict[str, Any]) -> dict[str, Any]:
    """Everything of this module. Raises `Unlike`."""
    loop = asyncio.new_event_loop()
    try:
        told = loop.run_until_complete(_of_tasks(loop, specimens))
    finally:
        loop.close()
    return {**told, **_of_awaits(), **_of_objects(loop)}


async def _of_tasks(loop: asyncio.AbstractEventLoop, specimens: dict[str, Any]) -> dict[str, Any]:
    future: asyncio.Future[Any] = loop.create_future()
    task = loop.create_task(specimens["short"](future), name="layout probe")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    context = next(held for held in gc.get_referents(task) if isinstance(held, contextvars.Context))
    base = id(task)
    told = {
        "future_loop": place("a task's loop", base, id(loop), FUTURE_BYTES),
        "task_coroutine": place("a task's coroutine", base, id(task.get_coro()), FUTURE_BYTES),
        "task_name": place("a task's name", base, id(task.get_name()), FUTURE_BYTES),
        "task_waiter": place("what a task waits for", base, id(future), FUTURE_BYTES),
        "task_context": place("a task's context", base, id(context), FUTURE_BYTES),
        **_of_futures(loop),
        **_running_loop(loop),
    }
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


def _of_futures(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """State and callbacks, by futures in known states."""
    kinds = [loop.create_future() for _ in range(3)]
    kinds[1].set_result(HELD)
    kinds[2].cancel()
    raw = [read(id(future), FUTURE_BYTES) for future in kinds]
    states = {
        i for i in range(16, FUTURE_BYTES, 4) if [struct.unpack_from("<i", part, i)[0] for part in raw] == [0, 2, 1]
    }
    state = least("a future's state", states)
    if integer(id(kinds[0]) + state) != 0:
        raise Unlike("a pending future's state is not 0")

    def first(_: Any) -> None: ...

    def second(_: Any) -> None: ...

    kinds[0].add_done_callback(first)
    kinds[0].add_done_callback(second)
    for offset in range(16, FUTURE_BYTES, 8):
        held = word(id(kinds[0]) + offset)
        if held and word(held + 8) == id(list) and word(held + 16) == 1:
            entry = word(word(held + 24))
            if word(entry + 8) == id(tuple) and word(entry + 24) == id(second):
                one = place("a future's callback", id(kinds[0]), id(first), FUTURE_BYTES)
                return {"future_state": state, "future_callback": one, "future_callbacks": offset}
    raise Unlike("a future's callbacks were not found")


def _of_awaits() -> dict[str, int]:
    """What the awaitables between coroutines hold: the next one. Outside a loop, which would adopt the generator."""

    async def numbers() -> AsyncIterator[int]:
        yield 1

    async def nothing() -> None: ...

    coroutine, generator = nothing(), numbers()
    wrapper, step = coroutine.__await__(), cast(Any, generator.__anext__())
    opaque = place("what a coroutine wrapper holds", id(wrapper), id(coroutine), 64)
    if place("what a step of a generator holds", id(step), id(generator), 64) != opaque:
        raise Unlike("awaitables hold what they wait for at different places")
    step.close()
    coroutine.close()
    return {"opaque_inside": opaque}


def _running_loop(loop: asyncio.AbstractEventLoop) -> dict[str, int]:
    """A thread's loop: in its dict, there perhaps in a holder, or (3.13) in the thread's state."""
    api = ctypes.pythonapi
    api.PyThreadState_GetDict.restype = ctypes.c_void_p
    api.PyThreadState_Get.restype = ctypes.c_void_p
    held: dict[str, Any] = ctypes.cast(api.PyThreadState_GetDict(), ctypes.py_object).value
    if HOLDER_KEY not in held:
        state = int(api.PyThreadState_Get())
        return {"thread_loop": place("a thread's running loop", state, id(loop), 8192)}
    if held[HOLDER_KEY] is loop:
        return {"holder_loop": 0}
    return {"holder_loop": place("a thread's running loop", id(held[HOLDER_KEY]), id(loop), 64)}


def _of_objects(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    plain = Plain()
    plain.first = HELD  # type: ignore[attr-defined]
    made = [asyncio.TimerHandle(123456.5, _nothing, (), loop) for _ in range(2)]
    made[1].cancel()

    def closes() -> object:
        return plain

    with socket.socket() as open_socket:
        descriptors = integers(id(open_socket), open_socket.fileno(), 32)
    attributes = plain.__dict__
    keys = word(id(attributes) + 32)
    return {
        "function_closure": place("a function's closure", id(closes), id(closes.__closure__), 256),
        "type_cached_keys": place("a type's keys", id(Plain), keys, 2048),
        "handle_cancelled": place("a timer's cancelled", id(made[1]), id(True), 128),
        "handle_when": place("a timer's time", id(made[0]), id(made[0].when()), 128),
        "socket_descriptor": least("a socket's descriptor", descriptors),
        "version": [*sys.version_info[:3]],
    }


def _nothing() -> None: ...
